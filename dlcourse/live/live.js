// Run, Stop and Reset on the cells of a page, and editing in place. Python itself runs in worker.mjs;
// nothing of it is asked for before the first Run, and without this script the page is whole.
const here = new URL(".", import.meta.url);
const cells = [];
let worker = null;
let runs = 0;
let starts = 0;

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

// ------------------------------------------------------------------------------------ the worker

// live.json alone is asked for anew each time (and answered, mostly, "not modified"): what it names
// has a version in its address, and stays in the browser.
async function start() {
  const mine = ++starts;
  const answer = await fetch(new URL("live.json", here), { cache: "no-cache" });
  const config = await answer.json();
  for (const name of ["base", "course", "worker"]) config[name] = new URL(config[name], here).href;
  for (const name in config.data) config.data[name] = new URL(config.data[name], here).href;
  if (mine !== starts) return; // stopped meanwhile
  start.checks = config.checks;
  const made = new Worker(config.worker, { type: "module" });
  made.onmessage = ({ data }) => receive(data);
  made.onerror = (event) => { event.preventDefault(); fail(event.message || "the worker did not start"); };
  worker = made;
  made.postMessage({ config });
}

async function run(cell) {
  if (cell.running) return;
  const mine = (cell.running = ++runs);
  cell.began = false;
  cell.bar.classList.add("running");
  cell.stop.hidden = false;
  cell.run.setAttribute("aria-disabled", "true");
  say(cell, worker ? "Waiting …" : "Starting Python …");
  try {
    await (start.ready ??= start());
    if (cell.running !== mine) return; // stopped meanwhile
    const [mayFail, skipped] = ["mayFail", "skipped"].map((is) => cells.flatMap((other, at) => (other[is] ? [at] : [])));
    const asked = { sources: cells.map(source), cell: cells.indexOf(cell), mayFail, skipped, checks: start.checks };
    worker.postMessage({ id: mine, asked });
  } catch (error) {
    if (cell.running === mine) fail(error.message);
  }
}

function receive({ id, kind, text }) {
  const cell = cells.find((one) => one.running && (!id || one.running === id)); // 0: Python itself starts
  if (!cell) return;
  if (kind === "phase") say(cell, text);
  else if (kind === "failed") fail(text);
  else if (kind === "done") finish(cell, text);
  else show(cell, kind, text);
}

function finish(cell, ok) {
  if (!cell.began) begin(cell);
  const seconds = ((performance.now() - cell.began) / 1000).toFixed(1);
  end(cell, ok ? `Done in ${seconds} s.` : "Stopped by an error.");
}

function end(cell, said) {
  cell.running = 0;
  cell.bar.classList.remove("running");
  cell.stop.hidden = true;
  cell.run.removeAttribute("aria-disabled");
  say(cell, said);
}

// A page cannot interrupt Python, only end it; what was computed goes with it.
function drop(said) {
  worker?.terminate();
  worker = start.ready = null;
  starts++;
  cells.filter((cell) => cell.running).forEach((cell) => end(cell, said));
}

const stop = () => drop("Stopped. The next run starts Python afresh, and the cells above that it needs.");
const fail = (why) => drop(`Python could not be loaded (${why}). Are you online? Otherwise, download the notebook.`);

// ------------------------------------------------------------------------------ what a cell shows

function say(cell, text) {
  cell.status.textContent = text;
}

// The stored output makes place; it stays in the page, for links to its figure, until Reset.
function begin(cell) {
  cell.began = performance.now();
  cell.stored.forEach((output) => output.classList.add("live-replaced"));
  cell.output.replaceChildren();
  cell.output.hidden = cell.reset.hidden = false;
}

const CLASSES = { stdout: "stream", stderr: "stderr", text: "text_plain", error: "traceback", html: "text_html" };

function show(cell, kind, text) {
  if (kind === "begin" || !cell.began) begin(cell);
  if (kind === "begin") return;
  if (kind === "note") cell.output.append(element("p", { className: "live-note", textContent: text }));
  else if (kind === "figure") cell.output.append(figure(cell, text));
  else if (kind === "html") cell.output.append(element("div", { className: "output text_html", innerHTML: text }));
  else print(cell, kind, text);
}

function print(cell, kind, text) {
  let last = cell.output.lastElementChild;
  if (last?.dataset.kind !== kind) {
    last = element("div", { className: `output ${CLASSES[kind] ?? "stream"}` }, element("pre", { tabIndex: 0 }));
    last.dataset.kind = kind;
    cell.output.append(last);
  }
  last.firstChild.append(text);
}

// Unedited code draws the stored figure again, so that figure's words and caption still hold.
function figure(cell, svg) {
  const made = element("figure", { innerHTML: svg });
  const same = source(cell) === cell.source && !cell.part;
  const old = same && cell.stored.map((output) => output.querySelector("svg.dl-figure")).find(Boolean);
  made.firstChild.setAttribute("aria-label", old?.getAttribute?.("aria-label") || "A figure, drawn by the cell above");
  const caption = old && old.closest("figure")?.querySelector("figcaption")?.cloneNode(true);
  if (caption) {
    caption.querySelectorAll(".headerlink").forEach((link) => link.remove());
    made.append(caption);
  }
  return made;
}

// ------------------------------------------------------------------------------------- the editor

const tidy = (text) => text.replace(/\u00a0/g, " ").replace(/\n+$/, "");
const source = (cell) => tidy(cell.code.innerText); // with the line ends that an editor puts in

function edit(cell, number) {
  const { code } = cell;
  code.contentEditable = "plaintext-only";
  if (code.contentEditable !== "plaintext-only") code.contentEditable = "true";
  code.spellcheck = false;
  for (const [name, value] of Object.entries({
    role: "textbox", "aria-multiline": "true", "aria-label": `Code of cell ${number}`, autocapitalize: "off", autocorrect: "off",
  })) code.setAttribute(name, value);
  let typed = false; // until something is typed, Tab goes on to the next control
  code.addEventListener("blur", () => { typed = false; });
  code.addEventListener("input", () => { typed = true; cell.reset.hidden = false; });
  code.addEventListener("keydown", (event) => {
    event.stopPropagation(); // the theme's keys are for the page
    const insert = (text) => { event.preventDefault(); document.execCommand("insertText", false, text); };
    if (event.key === "Enter" && (event.shiftKey || event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      run(cell);
      if (event.shiftKey) cells.slice(number).find((next) => next.run)?.code.focus();
    } else if (event.key === "Enter") insert("\n" + indentation(code));
    else if (event.key === "Tab" && !event.shiftKey && typed) insert("    ");
    else if (event.key === "Escape") cell.run.focus();
  });
}

// The spaces that the line of the caret starts with, four more after a colon.
function indentation(code) {
  const range = getSelection().getRangeAt(0).cloneRange();
  range.setStart(code, 0);
  const line = range.toString().split("\n").at(-1);
  return line.match(/^ */)[0] + (/:\s*$/.test(line) ? "    " : "");
}

function reset(cell) {
  if (cell.running) return;
  cell.code.replaceChildren(...cell.original.map((node) => node.cloneNode(true)));
  cell.output.hidden = cell.reset.hidden = true;
  cell.stored.forEach((output) => output.classList.remove("live-replaced"));
  say(cell, "The cell is as it was.");
  cell.run.focus();
}

// --------------------------------------------------------------------------------------- the page

function button(cell, name, label, act) {
  const made = element("button", { type: "button", className: `live-${name}`, textContent: label });
  made.setAttribute("aria-label", `${label} cell ${cells.length}`);
  made.addEventListener("click", act);
  return made;
}

function set(box) {
  const code = box.querySelector(":scope > .cell_input pre, :scope > details .cell_input pre");
  if (!code) return;
  const has = (name) => box.classList.contains(name);
  const cell = { code, mayFail: has("tag_raises-exception"), skipped: has("torch-alone"), running: 0 };
  cells.push(cell);
  cell.source = tidy(code.textContent); // innerText would lay out the page anew for each cell
  const kind = [...box.classList].find((name) => name.startsWith("live-"));
  if (!kind) return;
  const needs = [...box.classList].find((name) => name.startsWith("needs-"))?.slice(6);
  cell.bar = element("div", { className: "live-bar" });
  const input = code.closest(".cell_input");
  input.append(cell.bar);
  if (kind === "live-none") return absent(cell, needs, has("tag_half"));
  cell.part = kind === "live-part";
  cell.original = [...code.childNodes].map((node) => node.cloneNode(true));
  cell.stored = [...box.querySelectorAll(":scope > .cell_output, :scope > details .cell_output")];
  cell.run = button(cell, "run", "Run", () => run(cell));
  cell.run.title = "Ctrl+Enter; Shift+Enter goes on to the next cell";
  cell.stop = button(cell, "stop", "Stop", () => { stop(); cell.run.focus(); });
  cell.reset = button(cell, "reset", "Reset", () => reset(cell));
  cell.stop.hidden = cell.reset.hidden = true;
  cell.status = element("span", { className: "live-status", role: "status" });
  cell.bar.append(cell.run, cell.stop, cell.reset, cell.status);
  const hint = cell.part ? `runs without ${needs} here` : has("names-torch") ? "runs with mini here" : "";
  if (hint) cell.bar.append(element("span", { className: "live-hint", textContent: hint }));
  cell.output = element("div", { className: "cell_output docutils container live-output", hidden: true });
  input.closest(".cell > *").after(cell.output);
  edit(cell, cells.length);
}

// brief: for a narrow cell, which a second line would make taller than the one beside it.
function absent(cell, needs, brief) {
  const said = element("span", {}, `Needs ${needs}${brief ? "" : ", which a browser does not have"}. `);
  const notebook = document.querySelector("a.btn-download-source-button[href$='.ipynb']");
  const colab = document.querySelector(".dropdown-launch-buttons a[href^='https://colab.']");
  const offered = [
    notebook && element("a", { href: notebook.href, download: "", textContent: "Download the notebook" }),
    notebook && colab && !brief && " or ",
    colab && !(brief && notebook) && element("a", { href: colab.href, textContent: "open it in Colab" }),
  ].filter(Boolean);
  if (offered.length) said.append(...offered, ".");
  cell.bar.append(said);
}

// For some milliseconds at a time, so that the page answers in between.
async function setAll(boxes) {
  let pause = performance.now() + 10;
  for (const box of boxes) {
    if (performance.now() > pause) {
      await new Promise((goOn) => setTimeout(goOn));
      pause = performance.now() + 10;
    }
    set(box);
  }
}

// A page opened as a file may neither start a worker nor fetch.
if (window.Worker && window.WebAssembly && location.protocol !== "file:") {
  await new Promise((shown) => requestAnimationFrame(() => setTimeout(shown))); // the page comes first
  setAll(document.querySelectorAll("div.cell"));
}

// One Python interpreter in a worker of the page. In: {config} once, then {id, asked}, see browser.py;
// out: {id, kind, text}, the kinds of session.py, and "phase", "done", "failed".
// Every file of Python is fetched with its sha256, wherever it comes from.
const COURSE = "/home/pyodide/course", brought = {};
let python, session, data, current = 0;
const send = (kind, text = "") => postMessage({ id: current, kind, text });

function pin({ base, files }) {
  const plain = self.fetch.bind(self);
  self.fetch = (url, options = {}) => {
    const integrity = files[String(url.url ?? url).replace(base, "")];
    const answer = plain(url, integrity ? { ...options, integrity } : options);
    answer.catch((error) => send("failed", error.message)); // Pyodide would wait for ever
    return answer;
  };
}

async function load(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  return answer;
}

// import() cannot check a hash: the text is fetched with it, and imported from memory.
async function pinned(url) {
  const text = await (await load(url)).text();
  return import(URL.createObjectURL(new Blob([text], { type: "text/javascript" })));
}

async function start(config) {
  pin(config);
  data = config.data;
  send("phase", "Loading Python, once …");
  const [{ loadPyodide }, { default: createPyodideModule }, course] = await Promise.all([
    pinned(config.base + "pyodide.mjs"),
    pinned(config.base + "pyodide.asm.mjs"),
    load(config.course).then((answer) => answer.arrayBuffer()),
  ]);
  python = await loadPyodide({
    indexURL: config.base,
    packageBaseUrl: config.base,
    lockFileContents: config.lock,
    createPyodideModule,
    packages: ["numpy"], // fetched while Python itself still comes
    env: { HOME: "/home/pyodide", MPLBACKEND: "agg" },
  });
  python.unpackArchive(course, "zip", { extractDir: COURSE });
  session = python.runPython(`
    import sys
    sys.path.insert(0, "/home/pyodide/course")
    from dlcourse.live.browser import Live
    Live`)(send);
}

// What not every cell needs: Matplotlib, and the large files of data.
async function bring(name) {
  send("phase", `Loading ${data[name] ? "the data" : "Matplotlib"}, once …`);
  if (!data[name]) return python.loadPackage(name, { messageCallback() {} });
  const content = await (await load(data[name])).arrayBuffer();
  python.FS.writeFile(`${COURSE}/data/${name}`, new Uint8Array(content));
}

async function run({ id, asked }) {
  current = id;
  await started;
  for (const name of session.open(JSON.stringify(asked)).split(" ").filter(Boolean)) await (brought[name] ??= bring(name));
  send("phase", "Running …");
  send("done", session.run() ? "ok" : "");
}

let started, queue = Promise.resolve();
onmessage = ({ data }) => {
  if (data.config) started = start(data.config);
  else queue = queue.then(() => run(data)).catch((error) => send("failed", String(error.message ?? error)));
};

// What can wait until a page is shown and its reader begins: moves, types or prints, or is there for a
// while. Whoever comes to a place within the page has begun.
{
  const A_WHILE = 8000; // milliseconds

  let begin;
  const begun = new Promise((fulfil) => { begin = fulfil; });
  if (location.hash) begin();
  const signs = ["scroll", "wheel", "pointerdown", "keydown", "beforeprint"];
  signs.forEach((sign) => addEventListener(sign, begin, { once: true, passive: true }));
  addEventListener("load", () => setTimeout(begin, A_WHILE));
  const shown = new Promise((fulfil) => requestAnimationFrame(() => setTimeout(fulfil)));

  // A phone has laid out what is near its screen, and no more (book.css). The rest follows, a few boxes
  // whenever there is time: then what is searched for, jumped to or printed has its true size.
  const AT_ONCE = 8;
  const BOXES = ".bd-article :is(section > *, div.cell_input > div, div.cell_output > *)";
  const whenIdle = window.requestIdleCallback ?? requestAnimationFrame; // Safari has no idle callbacks

  const layOut = (boxes) => {
    boxes.splice(0, AT_ONCE).forEach((box) => { box.style.contentVisibility = "visible"; });
    if (boxes.length) whenIdle(() => layOut(boxes), { timeout: 100 });
  };

  Promise.all([shown, begun]).then(() => layOut([...document.querySelectorAll(BOXES)]));

  // MathJax would set all formulas of a page in one go, and the page would not answer meanwhile. It is
  // asked for when the reader begins, or at once where a formula is in view or half a screen away. Then
  // they are set one by one, with room for the reader's clicks between, those in view before all others.
  const allFormulas = () => [...document.querySelectorAll(".math")];

  // Who asks where a formula stands has the whole page laid out; an observer is told without.
  const watch = (margin, tell) => {
    const observer = new IntersectionObserver(tell, { rootMargin: margin });
    allFormulas().forEach((formula) => observer.observe(formula));
  };

  const isNear = () => new Promise((fulfil) => {
    watch("50% 0px", (changes) => { if (changes.some((change) => change.isIntersecting)) fulfil(); });
  });

  const pageReady = async () => {
    const waiting = new Set(allFormulas()), inView = new Set();
    if (waiting.size) await new Promise((reported) => watch("0px", (changes) => {
      changes.forEach(({ target, isIntersecting }) => {
        if (isIntersecting && waiting.has(target)) inView.add(target); else inView.delete(target);
      });
      reported();
    }));
    while (waiting.size) {
      const [formula] = inView.size ? inView : waiting;
      waiting.delete(formula);
      inView.delete(formula);
      await MathJax.typesetPromise([formula]);
      await new Promise((goOn) => setTimeout(goOn));
    }
  };

  const mathJax = new URL("mathjax/startup.js", document.currentScript.src);

  const formulasSet = shown.then(() => window.MathJax && Promise.race([begun, isNear()])).then(() => {
    if (!window.MathJax) return; // its settings, which stand in a page with formulas
    return new Promise((allSet) => {
      window.MathJax.startup = { pageReady: () => pageReady().then(allSet) };
      document.head.append(Object.assign(document.createElement("script"), { src: mathJax }));
    });
  });

  // Begin now; fulfilled when all formulas are set.
  window.allOfThePage = () => { begin(); return formulasSet; };
}

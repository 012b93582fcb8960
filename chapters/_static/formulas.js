// MathJax would set all formulas of a page in one go, and for that long the page would not answer. Here
// it is asked for when the page has been shown, and then they are set one by one, with room for the
// reader's clicks between: first those in view, then the others from top to bottom.
{
  // Who asks where a formula stands has the whole page laid out; an observer is told without.
  const inView = (formulas) => new Promise((tell) => {
    const observer = new IntersectionObserver((found) => {
      observer.disconnect();
      tell(found.filter(({ isIntersecting }) => isIntersecting).map(({ target }) => target));
    });
    formulas.forEach((formula) => observer.observe(formula));
  });

  const pageReady = async () => {
    const formulas = [...document.querySelectorAll(".math")];
    const seen = new Set(formulas.length ? await inView(formulas) : []);
    for (const formula of [...seen, ...formulas.filter((other) => !seen.has(other))]) {
      await MathJax.typesetPromise([formula]);
      await new Promise((goOn) => setTimeout(goOn));
    }
  };

  const mathJax = new URL("mathjax/startup.js", document.currentScript.src);
  const firstFrame = new Promise((shown) => requestAnimationFrame(() => setTimeout(shown)));

  if (window.MathJax) { // its settings, which stand above, in a page with formulas
    window.formulasAreSet = firstFrame.then(() => new Promise((allSet) => {
      window.MathJax.startup = { pageReady: () => pageReady().then(allSet) };
      document.head.append(Object.assign(document.createElement("script"), { src: mathJax }));
    }));
  }
}

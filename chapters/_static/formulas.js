// MathJax would set all formulas of a page in one go, and for that long the page would not answer. Here
// they are set a few at a time, with room for the reader's clicks between: first those in view, then
// the others from top to bottom.
{
  const AT_ONCE = 4;

  const inView = (formula) => {
    const { top, bottom } = formula.getBoundingClientRect();
    return bottom > 0 && top < window.innerHeight;
  };

  const pageReady = async () => {
    const formulas = [...document.querySelectorAll(".math")];
    const seen = new Set(formulas.filter(inView));
    const order = [...seen, ...formulas.filter((formula) => !seen.has(formula))];
    for (let i = 0; i < order.length; i += AT_ONCE) {
      await MathJax.typesetPromise(order.slice(i, i + AT_ONCE));
      await new Promise((goOn) => setTimeout(goOn));
    }
  };

  if (window.MathJax) window.MathJax.startup = { pageReady }; // its settings stand above, in the page
}

// Which boxes the keyboard reaches, to scroll them or to edit what they hold: those that scroll, as soon
// as they do (a tab or a solution opens, the page gets narrower, a cell prints), and code being edited.
{
  const BOXES = "pre, .cell_output > .output, .pst-scrollable-table-container";

  const scrolls = (box) => box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight;

  const mend = (box) => {
    const index = box.isContentEditable || scrolls(box) ? 0 : -1;
    if (box.tabIndex !== index) box.tabIndex = index;
  };

  document.addEventListener("DOMContentLoaded", () => {
    const page = document.getElementById("main-content");
    const sizes = new ResizeObserver((changes) => changes.forEach(({ target }) => mend(target)));
    const boxes = (node) => [...(node.matches?.(BOXES) ? [node] : []), ...(node.querySelectorAll?.(BOXES) ?? [])];
    const watch = (node) => boxes(node).forEach((box) => sizes.observe(box)); // to be shown is to get a size
    watch(page);
    new MutationObserver((changes) => changes.forEach(({ type, target, addedNodes }) => {
      if (type === "childList") addedNodes.forEach(watch);
      else if (target.matches(BOXES)) mend(target);
    })).observe(page, { subtree: true, childList: true, attributeFilter: ["contenteditable"] });
  });
}

// Whoever is at the top reads no section; the theme goes on marking the one that was left (book.css).
document.addEventListener("DOMContentLoaded", () => {
  const contents = document.querySelector("nav.page-toc");
  if (!contents) return;
  const place = () => contents.classList.toggle("at-top", scrollY <= 0);
  requestAnimationFrame(place);
  document.addEventListener("scroll", place, { passive: true });
});

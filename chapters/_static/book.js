// Which boxes the keyboard reaches, to scroll them or to edit what they hold. The theme sees to those
// that scroll when a page loads or changes its width, and takes all others from the keyboard: also one
// that begins to scroll when a tab or a solution opens, and code that can be edited.
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
    page.querySelectorAll(BOXES).forEach((box) => sizes.observe(box)); // to be shown is to get a size
    const changed = ({ target }) => { if (target.matches(BOXES)) mend(target); };
    const watch = { subtree: true, attributeFilter: ["tabindex", "contenteditable"] };
    new MutationObserver((changes) => changes.forEach(changed)).observe(page, watch);
  });
}

// Formulas and outputs wider than the page scroll in a box of their own; let the keyboard reach those that do.
const BOXES = "pre, mjx-container[display], .cell_output .text_html, .pst-scrollable-table-container";

function reachIfWide(box) {
  if (box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight) box.tabIndex = 0;
  else box.removeAttribute("tabindex");
}

window.addEventListener("load", async () => {
  await window.MathJax?.startup?.promise;
  // Told of every change of size, also when a folded solution opens.
  const sizes = new ResizeObserver((entries) => entries.forEach(({ target }) => reachIfWide(target)));
  document.querySelectorAll(BOXES).forEach((box) => sizes.observe(box));
});

// Paper is white: print in light colours whatever the screen shows.
const { dataset } = document.documentElement;
let screenTheme = dataset.theme;
window.matchMedia("print").addEventListener("change", ({ matches: printing }) => {
  if (printing) screenTheme = dataset.theme;
  dataset.theme = printing ? "light" : screenTheme;
});

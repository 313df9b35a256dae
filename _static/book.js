// Formulas and outputs wider than the page scroll in a box of their own; let the keyboard reach those that do.
const BOXES = "mjx-container[display], .cell_output pre, .cell_output .text_html, .pst-scrollable-table-container";

function reachWideBoxes() {
  for (const box of document.querySelectorAll(BOXES)) {
    if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
}

window.addEventListener("load", async () => {
  await window.MathJax?.startup?.promise;
  reachWideBoxes();
  window.addEventListener("resize", reachWideBoxes);
});

// Paper is white: print in light colours whatever the screen shows.
const { dataset } = document.documentElement;
let screenTheme = dataset.theme;
window.matchMedia("print").addEventListener("change", ({ matches: printing }) => {
  if (printing) screenTheme = dataset.theme;
  dataset.theme = printing ? "light" : screenTheme;
});

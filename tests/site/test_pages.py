"""What a reader meets on every page: in light and dark, on a phone, in print, from a server and from a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tab import DESKTOP, PHONE, TABLET, Tab

#: Opens what is folded away, so that it is checked, too.
UNFOLD = """() => {
  document.querySelectorAll('details').forEach(details => { details.open = true; });
  document.querySelectorAll('button.toggle-button-hidden').forEach(button => button.click());
  return new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
}"""

#: Formulas that MathJax has not set, and TeX left in the text.
UNSET_FORMULAS = r"""() => {
  const unset = [...document.querySelectorAll('.math')].filter(math => !math.querySelector('mjx-container'));
  const failed = [...document.querySelectorAll('mjx-merror, [data-mjx-error]')];
  const raw = [];
  const walker = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const { data, parentElement } = walker.currentNode;
    if (parentElement.closest('pre, code, script, style, textarea, mjx-container, [data-search-raw]')) continue;
    if (/\\\(|\\\[|\$\$|\\begin\b|\\frac\b|(^|\s)\$[^\s$][^$]*\$/.test(data)) raw.push(data);
  }
  return [...unset, ...failed].map(element => element.textContent).concat(raw);
}"""

FAILED_FONTS = "() => [...document.fonts].filter(font => font.status === 'error').map(font => font.family)"

SEARCH_BOXES = """() => [...document.querySelectorAll('input[type=search], input[name=q], button.search-button-field')]
  .filter(box => box.checkVisibility({ visibilityProperty: true })).length"""

#: Elements that reach beyond the window and are not inside a box of their own that scrolls.
OVERFLOWING = """() => {
  const width = document.documentElement.clientWidth;
  const boxed = element => {
    for (let box = element.parentElement; box && box !== document.body; box = box.parentElement)
      if (getComputedStyle(box).overflowX !== 'visible' && box.getBoundingClientRect().right <= width + 1) return true;
    return false;
  };
  const wide = [...document.querySelectorAll('main *')].filter(element =>
    !element.closest('.bd-sidebar-secondary') && element.checkVisibility()
    && element.getBoundingClientRect().right > width + 1
    && getComputedStyle(element).position !== 'fixed' && !boxed(element));
  if (document.documentElement.scrollWidth > width) wide.push(document.documentElement);
  return wide.map(element => element.outerHTML.slice(0, 120));
}"""

#: Luminance of text and background of every output cell that holds text.
OUTPUT_COLOURS = """() => {
  const luminance = colour => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map(Number);
    return (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255;
  };
  const background = element => {
    for (; element; element = element.parentElement) {
      const colour = getComputedStyle(element).backgroundColor;
      if (!/^rgba\\(.*, 0\\)$/.test(colour)) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  return [...document.querySelectorAll('.cell_output pre, .cell_output table')]
    .map(output => [luminance(background(output)), luminance(getComputedStyle(output).color)]);
}"""


@pytest.fixture
def addresses(site: Path, pages: list[Path], server: str) -> list[str]:
    return [server + page.relative_to(site).as_posix() for page in pages]


@pytest.mark.parametrize("origin", ["http", "file"])
def test_pages_work_with_the_network_out_of_reach(
    tab: Tab, pages: list[Path], addresses: list[str], origin: str
) -> None:
    num_formulas = 0
    for address in addresses if origin == "http" else [page.as_uri() for page in pages]:
        tab.open(address)
        assert tab.page.evaluate(UNSET_FORMULAS) == [], address
        assert tab.page.evaluate(FAILED_FONTS) == [], address
        num_formulas += tab.page.locator("mjx-container").count()
        tab.page.wait_for_load_state("networkidle")
        assert tab.outside == [], address
        assert tab.errors == [], address
    assert num_formulas > 0


def test_one_search_box(tab: Tab, addresses: list[str]) -> None:
    for address in addresses:
        tab.open(address)
        assert tab.page.evaluate(SEARCH_BOXES) == 1, address


def test_search_finds_a_page(tab: Tab, server: str) -> None:
    tab.open(server + "search.html?q=optimizer")
    tab.page.locator("#search-results li a").first.wait_for()


def test_no_page_scrolls_sideways(tab: Tab, addresses: list[str]) -> None:
    for address in addresses:
        tab.open(address)
        tab.page.evaluate(UNFOLD)
        for size in (PHONE, TABLET, DESKTOP):
            tab.page.set_viewport_size(size)
            assert tab.page.evaluate(OVERFLOWING) == [], (address, size)


@pytest.mark.parametrize(("scheme", "size"), [("light", DESKTOP), ("dark", DESKTOP), ("light", PHONE)])
def test_pages_are_accessible(tab: Tab, addresses: list[str], axe: Any, scheme: str, size: dict[str, int]) -> None:
    tab.page.set_viewport_size(size)
    tab.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    for address in addresses:
        tab.open(address)
        assert tab.page.locator("html").get_attribute("data-theme") == scheme
        tab.page.evaluate(UNFOLD)
        found = axe.run(tab.page).response["violations"]
        serious = [
            f"{violation['id']}: {node['html'][:160]} ({node.get('failureSummary', '')})"
            for violation in found
            if violation["impact"] in ("serious", "critical")
            for node in violation["nodes"]
        ]
        assert not serious, f"{address}\n" + "\n".join(serious)


def test_outputs_are_dark_in_dark_mode(tab: Tab, addresses: list[str]) -> None:
    tab.page.emulate_media(color_scheme="dark")
    num_outputs = 0
    for address in addresses:
        tab.open(address)
        for background, text in tab.page.evaluate(OUTPUT_COLOURS):
            num_outputs += 1
            assert background < 0.25, address
            assert text > 0.6, address
        for image in tab.page.locator(".cell:not(.tag_keep-colours) .cell_output img").all():
            assert "invert" in image.evaluate("image => getComputedStyle(image).filter"), address
    assert num_outputs > 0


def test_skip_link_comes_first_and_is_seen(tab: Tab, addresses: list[str]) -> None:
    for address in addresses:
        tab.open(address)
        tab.page.keyboard.press("Tab")
        link = tab.page.locator(":focus")
        assert link.get_attribute("href") == "#main-content", address
        tab.page.wait_for_function("() => document.activeElement.getBoundingClientRect().top >= 0")


def test_print_is_light_with_solutions_open_and_no_sidebars(tab: Tab, addresses: list[str]) -> None:
    for address in addresses:
        tab.page.emulate_media(media="screen", color_scheme="dark")
        tab.open(address)
        tab.page.emulate_media(media="print")
        tab.page.locator("html[data-theme=light]").wait_for(state="attached")
        for away in tab.page.locator(".bd-sidebar-primary, .bd-sidebar-secondary, .bd-header-article").all():
            assert not away.is_visible(), address
        for solution in tab.page.locator(".admonition.toggle > :not(.admonition-title, button)").all():
            assert solution.is_visible(), address
        tab.page.emulate_media(media="screen")
        tab.page.locator("html[data-theme=dark]").wait_for(state="attached")

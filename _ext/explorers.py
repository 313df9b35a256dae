"""Puts the interactive figures on the website.

Style sheet and scripts go into the site once, and only pages with a figure load them. MicroPython comes with the
runtime script, which the page asks for when a figure is first used.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.util import logging

from d2l_utils.explore import site

_FIGURE = 'class="d2l-explorer"'
_FAILED = 'class="d2l-alert"'
logger = logging.getLogger(__name__)


def write_assets(app: Sphinx) -> None:
    """Write the files into the site before any page is written, as Sphinx adds their checksums to the addresses."""
    if app.builder.format == "html":
        site.write_assets(Path(app.outdir) / "_static")


def load_on_page(app: Sphinx, pagename: str, _template: str, context: dict[str, Any], _doctree: object) -> None:
    """Let a page with figures load the front end."""
    body = context.get("body", "")
    if _FIGURE not in body:
        return
    if _FAILED in body:
        logger.warning("an interactive figure shows an error in its default state", location=pagename)
    app.add_css_file(site.STYLE)
    app.add_js_file(site.PAGE_SCRIPT, loading_method="defer")


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the extension to Sphinx."""
    app.connect("builder-inited", write_assets)
    app.connect("html-page-context", load_on_page)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

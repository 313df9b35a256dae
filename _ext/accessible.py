"""Mend what docutils writes and assistive technology cannot use."""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx


def _list_references(_app: Sphinx, _page: str, _template: str, context: dict[str, Any], _tree: object) -> None:
    # docutils puts entries of the deprecated role doc-biblioentry into a list, where only listitem is allowed.
    if "body" in context:
        context["body"] = context["body"].replace('role="doc-biblioentry"', 'role="listitem"')


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the extension with Sphinx."""
    app.connect("html-page-context", _list_references)
    return {"version": "1.0", "parallel_read_safe": True, "parallel_write_safe": True}

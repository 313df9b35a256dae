"""What can be told from the files of the site, without a browser."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup, Tag

OUTSIDE = re.compile(r"^\s*([a-z][a-z0-9+.-]*:)?//", re.IGNORECASE)
FILE_NAME = re.compile(r"[/\\]|\.(svg|png|jpe?g|gif|webp)\b|^[0-9a-f]{16,}", re.IGNORECASE)
#: Attributes that make a browser load something.
LOADS = {
    "script": ["src"],
    "link": ["href"],
    "img": ["src", "srcset"],
    "source": ["src", "srcset"],
    "iframe": ["src"],
    "video": ["src", "poster"],
    "audio": ["src"],
    "embed": ["src"],
    "object": ["data"],
    "input": ["src"],
}


@pytest.fixture(scope="module")
def documents(pages: list[Path]) -> dict[Path, BeautifulSoup]:
    return {page: BeautifulSoup(page.read_bytes(), "html.parser") for page in pages}


def test_book_has_a_landing_page_and_chapters(site: Path, pages: list[Path]) -> None:
    names = {page.relative_to(site).as_posix() for page in pages}
    assert "index.html" in names
    assert any(name.startswith("chapters/") for name in names)


def test_nothing_is_loaded_from_outside(documents: dict[Path, BeautifulSoup]) -> None:
    outside = [
        f"{page.name}: <{tag.name} {attribute}={tag[attribute]!r}>"
        for page, document in documents.items()
        for name, attributes in LOADS.items()
        for tag in document.find_all(name)
        for attribute in attributes
        if OUTSIDE.match(str(tag.get(attribute, "")))
    ]
    assert not outside


def test_style_sheets_load_nothing_from_outside(site: Path, documents: dict[Path, BeautifulSoup]) -> None:
    sheets = {path.relative_to(site).as_posix(): path.read_text("utf-8") for path in site.rglob("*.css")}
    for page, document in documents.items():
        inline = [style.get_text() for style in document.find_all("style")]
        inline += [str(tag["style"]) for tag in document.find_all(style=True)]
        sheets[page.relative_to(site).as_posix()] = "\n".join(inline)
    pattern = re.compile(r"(?:url\(|@import)\s*[\"']?\s*(?:https?:)?//[^\s\"')]*", re.IGNORECASE)
    assert not [f"{name}: {match}" for name, text in sheets.items() for match in pattern.findall(text)]


def test_internal_links_and_anchors_exist(site: Path, documents: dict[Path, BeautifulSoup]) -> None:
    broken = []
    for page, document in documents.items():
        for link in document.find_all("a", href=True):
            address = urlsplit(str(link["href"]))
            if address.scheme or address.netloc:
                continue
            target = (page.parent / unquote(address.path)).resolve() if address.path else page
            if target.is_dir():
                target /= "index.html"
            if not target.is_relative_to(site) or not target.is_file():
                broken.append(f"{page.name}: {link['href']}")
            elif target in documents and not _has_anchor(documents[target], unquote(address.fragment)):
                broken.append(f"{page.name}: no anchor {link['href']}")
    assert not broken


def _has_anchor(document: BeautifulSoup, fragment: str) -> bool:
    # "#rmsprop_2d:eta=0.4" is not an anchor but the state of an interactive figure.
    rule, colon, _ = fragment.partition(":")
    if colon and document.find(attrs={"data-rule": rule}) is not None:
        return True
    return not fragment or document.find(id=fragment) is not None


def test_images_say_what_they_show(documents: dict[Path, BeautifulSoup]) -> None:
    silent = []
    for page, document in documents.items():
        for image in document.select("img:not(.logo__image)"):  # the title is beside the logo
            alt = str(image.get("alt", "")).strip()
            words = 4 if _is_output(image) else 1
            if FILE_NAME.search(alt) or len(alt.split()) < words:
                silent.append(f"{page.name}: {image.get('src')} has alt {alt!r}")
    assert not silent


def _is_output(image: Tag) -> bool:
    return image.find_parent(class_="cell_output") is not None


def test_notebooks_leave_no_warnings_or_errors(documents: dict[Path, BeautifulSoup]) -> None:
    noisy = [
        f"{page.name}: {output.get_text()[:200]}"
        for page, document in documents.items()
        for output in document.select(".cell_output .stderr, .cell_output .traceback")
    ]
    assert not noisy


def test_pages_declare_their_language_and_title(documents: dict[Path, BeautifulSoup]) -> None:
    for page, document in documents.items():
        assert document.html is not None
        assert document.html.get("lang") == "en", page
        assert document.title is not None, page
        assert document.title.get_text().strip(), page

# SPDX-License-Identifier: MIT
"""The pages: links and pictures are there, and buttons, panels and messages are called as the add-on calls them."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path
from urllib.parse import unquote

import pytest
from conftest import ROOT

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "rig_mappings" / "README.md", *sorted(DOCS.glob("*.md"))]
ARTISTS = (
    "first-bake", "capturing", "cleaning-a-take", "any-rig", "baking", "many-characters", "troubleshooting",
)  # fmt: skip
BLENDERS_OWN = {
    *("Install from Disk", "Sync to Audio", "Library not loaded", "This platform isn't one of …", "CSV UTF-8"),
    *("must be less than the maximum version", "doesn't meet the minimum supported version", "Ctrl Z", "N", "Info"),
    "Auto Save",
}
"""Names and messages of Blender, of systems and of spreadsheets."""

STRESSED = {
    *("as they will be baked", "before the bake", "To choose another one", "both sides", "driver", "strongest"),
    *("Live Link Face", "OpenFace 2", "Windows and macOS are untested", "take", "verified", "experimental", "t", "i"),
}
"""What is set off from the text and is no name."""

VALUES = re.compile(r"'[^']*'|\{\w+[^}]*\}|\b[\d.]+\b|…")
"""What differs from message to message, and the fields of a text where it stands."""


def prose(page: Path) -> str:
    """A page without its code blocks."""
    return re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)


def anchors(page: Path) -> set[str]:
    """What a link can lead to in a page, as GitHub names its headings."""
    headings = re.findall(r"^#+ (.+)$", prose(page), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@functools.cache
def spoken() -> list[str]:
    """Every text in the code of the add-on and of the package that it brings, formatted ones with … for values."""
    texts = []
    for folder in ("blender_addon", "bdfm_infer"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    texts.append("".join(p.value if isinstance(p, ast.Constant) else "…" for p in node.values))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    texts.append(node.value)
    return texts


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_and_pictures_are_there(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if "://" in target:
            continue
        name, _, anchor = unquote(target).partition("#")
        linked = (page.parent / name).resolve() if name else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


def test_every_screenshot_is_shown():
    shown = "".join(prose(page) for page in PAGES)
    assert [path.name for path in (DOCS / "screenshots").iterdir() if path.name not in shown] == []


@pytest.mark.parametrize("page", ARTISTS)
def test_an_artists_page_is_reached_from_the_first_one_and_from_the_readme(page):
    for start in (ROOT / "README.md", DOCS / "addon.md"):
        assert f"{page}.md" in prose(start)


@pytest.mark.parametrize("page", ARTISTS)
def test_names_and_messages_are_those_of_the_add_on(page):
    """Bold is what stands on the screen, word for word; italic is a name, or a part of a message."""
    texts = spoken()
    names = {text.strip() for text in texts}
    said = "\n".join(VALUES.sub("…", " ".join(text.split())) for text in texts)
    text = prose(DOCS / f"{page}.md")
    known = BLENDERS_OWN | STRESSED
    bold = {" ".join(found.split()) for found in re.findall(r"\*\*([^*]+?)\*\*", text)}
    units = {found for found in bold if re.fullmatch(r"AU\d\d|… not found", found)}
    assert sorted(bold - names - known - units) == []
    italic = {" ".join(found.split()) for found in re.findall(r"(?<!\*)\*([^*\s][^*]*?)\*(?!\*)", text)}
    assert [found for found in sorted(italic - names - known) if VALUES.sub("…", found) not in said] == []

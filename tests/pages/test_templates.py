"""What the files of the pages must not contain, and what is served from elsewhere must be what it was."""

import hashlib
import json
import re
from pathlib import Path

import pytest
from django.conf import settings

from tests.pages.reading import Page

ROOT = Path(settings.BASE_DIR)
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
VENDOR = ROOT / "static" / "vendor"
MANIFEST = json.loads((VENDOR / "manifest.json").read_text())["files"]
STYLES = sorted((ROOT / "static" / "css").glob("*.css"))
OURS = [path for path in TEMPLATES if "admin" not in path.parts]


def named(paths: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", paths, ids=lambda path: str(path.relative_to(ROOT)))


@named(OURS)
def test_a_template_has_nothing_inline(path: Path) -> None:
    markup = path.read_text()
    for tag in Page(markup).tags:
        inline = [name for name in tag.attributes if name == "style" or re.fullmatch(r"on[a-z]+", name)]
        assert inline == [], f"<{tag.name}> has {inline}; put it into a file"
        assert tag.name != "style"
        assert tag.name != "script" or "src" in tag.attributes or tag.text == "{% first_script %}"
    assert not re.search(r"\son[a-z]+\s*=", markup)
    assert not re.search(r"\sstyle\s*=", markup)


@named(OURS)
def test_a_template_neither_boosts_nor_inherits_nor_marks_safe(path: Path) -> None:
    markup = path.read_text()
    for forbidden in ("hx-boost", "hx-on", "hx-vals='js:", "|safe", "autoescape off", "javascript:"):
        assert forbidden not in markup


@named(OURS)
def test_a_visitor_is_told_nothing_that_only_an_operator_can_do(path: Path) -> None:
    operators = [part for part in path.read_text().split("<p") if "manage.py" in part]
    assert all("If you run this site" in part for part in operators)


@named(OURS)
def test_a_template_is_small(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 120


@pytest.mark.parametrize("row", MANIFEST, ids=lambda row: row["file"])
def test_a_vendored_file_is_what_its_manifest_says(row: dict[str, str]) -> None:
    for name, digest in ((row["file"], row["sha256"]), (row["licence_file"], row["licence_sha256"])):
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == digest
    assert row["version"] in row["file"]
    assert row["source"].endswith(f"@{row['version']}")


@pytest.mark.parametrize("row", MANIFEST, ids=lambda row: row["file"])
def test_a_vendored_file_names_no_source_map(row: dict[str, str]) -> None:
    assert b"sourceMappingURL" not in (VENDOR / row["file"]).read_bytes()


def test_nothing_is_vendored_that_the_manifest_does_not_name() -> None:
    known = {"manifest.json", *(row["file"] for row in MANIFEST), *(row["licence_file"] for row in MANIFEST)}
    assert {path.name for path in VENDOR.iterdir()} == known


def test_every_vendored_file_is_used_under_its_name() -> None:
    sources = "".join(path.read_text() for path in [*TEMPLATES, *STYLES])
    assert [row["file"] for row in MANIFEST if row["file"] not in sources] == []


@named(STYLES)
def test_a_style_sheet_is_small_and_lies_in_a_layer_of_ours(path: Path) -> None:
    style = path.read_text()
    assert len(style.splitlines()) <= 130
    assert re.match(r"(?:/\*.*?\*/\s*)?@layer (pico, )?[a-z]+", style, re.DOTALL)


def test_colours_are_named_in_one_place() -> None:
    for path in STYLES:
        if path.name != "tokens.css":
            assert not re.search(r"#[0-9a-fA-F]{3,8}\b", path.read_text()), path.name


@pytest.mark.django_db
def test_the_about_page_carries_every_notice_and_licence(client: object) -> None:
    markup = client.get("/about/").content.decode()  # type: ignore[attr-defined]
    for row in MANIFEST:
        assert row["notice"] in markup
        assert f"/static/vendor/{row['licence_file']}" in markup
    assert "investment advice" in markup

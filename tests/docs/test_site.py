"""The site builds strictly, is complete, and asks nobody else for anything."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REQUESTS = {"src", "srcset", "action", "poster", "data", "formaction"}
LOADED = {"link"}  # an href of these is fetched by itself


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as `make docs` builds it."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


class Addresses(HTMLParser):
    """Every address that a browser fetches without being asked to, and every one that a page links to."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.linked: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in REQUESTS or (name == "href" and tag in LOADED):
                self.fetched.append(value or "")
            elif name == "href":
                self.linked.append(value or "")


def test_no_page_makes_a_browser_ask_another_host(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 15
    for page in pages:
        addresses = Addresses()
        addresses.feed(page.read_text(encoding="utf-8"))
        assert addresses.fetched
        elsewhere = [one for one in addresses.fetched if re.match(r"([a-z]+:)?//", one)]
        assert not elsewhere, page


def test_no_style_sheet_asks_another_host(site: Path) -> None:
    for sheet in site.rglob("*.css"):
        text = sheet.read_text(encoding="utf-8")
        found = re.findall(r"(?:url\(|@import)\s*['\"]?((?:https?:)?//[^'\")]+)", text)
        assert not found, sheet


def test_no_page_uses_what_the_theme_would_fetch_from_elsewhere(site: Path) -> None:
    """Its script loads mermaid for a diagram in a page, and asks a forge for the stars of a repository."""
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert 'class="mermaid"' not in text
        assert 'data-md-component="source"' not in text


def test_every_generated_place_is_filled(site: Path) -> None:
    for page in site.rglob("*.html"):
        assert "generated:" not in page.read_text(encoding="utf-8"), page
    assert (site / "reference" / "alert-stream.schema.json").stat().st_size > 5000
    assert not (site / "generators").exists()


def test_every_picture_of_the_documentation_is_described(site: Path) -> None:
    for page in sorted((ROOT / "docs").rglob("*.md")):
        for text in re.findall(r"!\[([^\]]*)\]\(", page.read_text(encoding="utf-8")):
            assert len(text) > 10, page

"""Pages as axe-core (WCAG 2.2 AA) finds them, and as they look on a desk's screen and on a phone's."""

from __future__ import annotations

import io
import os
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, ViewportSize

from tests.calls.line import REPOSITORY

_AXE = Path(__file__).parent / "axe" / "axe.min.js"
_SHOTS = REPOSITORY / "var" / "screenshots"
#: Pictures of the administrators' guide: those that are there are made anew with OMNIVIGIL_GUIDE=1 in the environment.
_GUIDE = REPOSITORY / "docs" / "fr" / "images"
#: How wide they are, in pixels, how high at most, and of how many colours: each stays small enough for a repository.
_GUIDE_WIDTH, _GUIDE_HEIGHT, _GUIDE_COLOURS = 960, 900, 32
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
_DESK: ViewportSize = {"width": 1280, "height": 900}
_PHONE: ViewportSize = {"width": 375, "height": 700}


def look_at(page: Page, path: str, language: str, file: str, *, status: int = 200) -> list[str]:
    """What is wrong with the page at a path; see `look`."""
    page.set_viewport_size(_DESK)
    answer = page.goto(path)
    assert answer is not None
    assert answer.status == status, path
    if page.locator("[data-charts]").count():
        page.locator("canvas").first.wait_for()
    return look(page, language, file)


def look(page: Page, language: str, file: str) -> list[str]:
    """What is wrong with a page as it stands, on a desk's screen and on a phone's; both are kept as pictures."""
    path = page.url.partition("?")[0]
    assert (page.locator("html").get_attribute("lang") or "").startswith(language), path
    _resized(page, _DESK)
    picture = page.screenshot(path=_SHOTS / f"{file}.{language}.png", full_page=True)
    if os.environ.get("OMNIVIGIL_GUIDE") and language == "fr" and (_GUIDE / f"{file}.png").exists():
        _for_the_guide(picture, _GUIDE / f"{file}.png")
    problems = [f"{path}: {one}" for one in _serious(page)]
    _resized(page, _PHONE)
    page.screenshot(path=_SHOTS / f"{file}.{language}.phone.png", full_page=True)
    wide = page.evaluate("document.documentElement.scrollWidth")
    return [*problems, f"{path}: {wide} px wide on a phone"] if wide > _PHONE["width"] else problems


def _for_the_guide(picture: bytes, path: Path) -> None:
    with Image.open(io.BytesIO(picture)) as whole:
        width, height = whole.size
        small = whole.convert("RGB").resize((_GUIDE_WIDTH, height * _GUIDE_WIDTH // width), Image.Resampling.LANCZOS)
        cut = small.crop((0, 0, _GUIDE_WIDTH, min(small.height, _GUIDE_HEIGHT)))
        cut.quantize(_GUIDE_COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)


def _resized(page: Page, size: ViewportSize) -> None:
    page.set_viewport_size(size)
    # Drawings follow the size of the page; wait until they are painted.
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def _serious(page: Page) -> list[str]:
    # Added by the driver, as the pages' own policy forbids it to anybody else.
    page.evaluate(_AXE.read_text())
    found = page.evaluate("(tags) => axe.run(document, {runOnly: tags})", _RULES)
    return [
        f"{one['id']}: {node['html'][:150]}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]

"""Pages that are kept: until something changed, and never for long."""

from __future__ import annotations

from api.status.page_cache import KeptPages, Page

PAGE = Page(content=b"a", etag='"a"', media_type="text/html")


def test_a_page_is_given_until_its_state_is_another() -> None:
    pages = KeptPages(lambda: 10.0)
    pages.put("fr", 1, PAGE)
    assert pages.get("fr", 1) is PAGE
    assert pages.get("fr", 2) is None
    assert pages.get("en", 1) is None


def test_no_page_is_kept_for_long() -> None:
    now = [10.0]
    pages = KeptPages(lambda: now[0])
    pages.put("fr", 1, PAGE)
    now[0] = 14.9
    assert pages.get("fr", 1) is PAGE
    now[0] = 15.0
    assert pages.get("fr", 1) is None


def test_however_many_are_asked_for_memory_is_bounded() -> None:
    pages = KeptPages(lambda: 10.0)
    for number in range(2000):
        pages.put(number, 1, PAGE)
    assert len(pages._pages) <= 500

"""Retry-After (RFC 9110 section 10.2.3)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ivr.notify.retry_after import retry_after_s

NOW = datetime(2026, 11, 18, 15, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("120", 120.0),
        (" 3 ", 3.0),
        ("Wed, 18 Nov 2026 15:01:00 GMT", 60.0),
        ("Wed, 18 Nov 2026 14:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("٣", None),
        ("9" * 200, None),
        ("", None),
    ],
)
def test_what_is_understood(value: str | None, seconds: float | None) -> None:
    assert retry_after_s(value, NOW) == seconds

"""Whom somebody asks for."""

from __future__ import annotations

import pytest

from ivr.errors import BadInput
from ivr.persons.selectors import wanted


def test_a_number_is_found_however_it_is_written() -> None:
    """With and without country code, and as people write it in texts."""
    patterns = wanted(numbers=["+1 (514) 555-0123"]).patterns
    for written in ("15145550123", "5145550123", "514-555-0123", "514 555-0123", "(514) 555-0123", "514.555.0123"):
        assert any(pattern in written for pattern in patterns), written


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "numbers"),
        ({"numbers": ["611"]}, "numbers"),
        ({"numbers": ["%"]}, "numbers"),
        ({"emails": ["julie"]}, "emails"),
        ({"emails": ["@"]}, "emails"),
        ({"names": ["Al"]}, "names"),
        ({"names": [" "]}, "names"),
    ],
)
def test_what_would_be_everybody_is_refused(given: dict[str, list[str]], field: str) -> None:
    """The error names the field."""
    with pytest.raises(BadInput) as refused:
        wanted(**given)  # type: ignore[arg-type]
    assert refused.value.field == field


def test_the_audit_has_no_number_in_clear() -> None:
    """Only ends."""
    assert wanted(numbers=["5145550123"], emails=["julie@clinique.example"]).masked == "…0123 …mple"

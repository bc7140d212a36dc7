"""PINs: what may be one, and how tries add up."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ivr.announcements.pins import LOCKED, TRIES, after_wrong, check_pin, hashed
from ivr.errors import BadInput

NOW = datetime(2026, 11, 25, 15, 0, tzinfo=UTC)


@pytest.mark.parametrize("pin", ["", "123", "123456789", "12a4", "٣٤٥٦", "1111", "1234", "9876", "12 34"])
def test_a_pin_that_is_refused(pin: str) -> None:
    with pytest.raises(BadInput) as raised:
        check_pin(pin)
    assert raised.value.field == "pin"


@pytest.mark.parametrize("pin", ["5801", "58001", "90210584"])
def test_a_pin_that_is_taken(pin: str) -> None:
    assert check_pin(pin) == pin


def test_only_the_fifth_wrong_try_locks() -> None:
    assert [after_wrong(wrong, NOW)[1] for wrong in range(TRIES)] == [None] * 4 + [NOW + LOCKED]
    assert after_wrong(TRIES - 1, NOW)[0] == 0


def test_what_is_kept_is_argon2id_and_salted() -> None:
    assert hashed("58001").startswith("$argon2id$")
    assert hashed("58001") != hashed("58001")

"""What is kept of a password."""

from __future__ import annotations

from argon2 import extract_parameters
from argon2.profiles import RFC_9106_LOW_MEMORY

from ivr.accounts.passwords import hashed, matches


def test_it_is_argon2id_as_rfc_9106_recommends_and_salted() -> None:
    """RFC 9106, section 4, second choice: 64 MiB, three passes. Integration tests hash with less."""
    kept = hashed("correct horse")
    assert extract_parameters(kept) == RFC_9106_LOW_MEMORY
    assert kept != hashed("correct horse")
    assert (matches(kept, "correct horse"), matches(kept, "battery")) == (True, False)


def test_an_account_without_a_password_or_with_a_damaged_one_is_never_matched() -> None:
    assert not matches(None, "nobody has this password")
    assert not matches("$argon2id$damaged", "correct horse")

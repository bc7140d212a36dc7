"""Secrets of the second factor are encrypted."""

from __future__ import annotations

import pytest

from ivr.accounts.second_factor import new_secret
from ivr.accounts.secret_encryption import KeyLost, Seal, is_plain

KEY = "k" * 32


def test_what_is_sealed_is_opened_with_its_key_for_its_account_only() -> None:
    """And fits the column, differs each time, and does not show the secret."""
    seal, secret = Seal(KEY), new_secret()
    kept = seal.seal(7, secret)
    assert (len(kept), is_plain(kept), secret in kept) == (64, False, False)
    assert seal.seal(7, secret) != kept
    assert Seal(KEY).open(7, kept) == secret
    for other, account in ((Seal("x" * 32), 7), (seal, 8)):
        with pytest.raises(KeyLost, match="reset-second-factor"):
            other.open(account, kept)


@pytest.mark.parametrize("place", [0, 20, 40, 63])
def test_a_changed_letter_is_noticed(place: int) -> None:
    """Nonce, text and tag."""
    kept = Seal(KEY).seal(7, new_secret())
    changed = kept[:place] + ("A" if kept[place] != "A" else "B") + kept[place + 1 :]
    with pytest.raises(KeyLost):
        Seal(KEY).open(7, changed)


@pytest.mark.parametrize("kept", ["", "x", "é" * 64, "=" * 64, "A" * 63])
def test_what_was_never_sealed(kept: str) -> None:
    """A damaged row is told like a lost key, and not by a traceback."""
    with pytest.raises(KeyLost):
        Seal(KEY).open(7, kept)


def test_what_earlier_versions_kept_is_still_read() -> None:
    """Until the next start, which encrypts it."""
    secret = new_secret()
    assert is_plain(secret)
    assert Seal(KEY).open(7, secret) == secret

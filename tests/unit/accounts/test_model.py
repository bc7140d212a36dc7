"""Names, passwords, bounds and the end of sessions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ivr.accounts.model import IDLE, LONGEST, check_bound, check_name, check_password, check_role, session_over
from ivr.errors import BadInput

NOW = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
_INSTANT = timedelta(microseconds=1)


@pytest.mark.parametrize("name", ["a", "Annie", "annie roy", "-annie", "a" * 41, "annie\n", "é2"])
def test_names_that_cannot_be_typed_everywhere_are_refused(name: str) -> None:
    with pytest.raises(BadInput, match="not a name"):
        check_name(name)


@pytest.mark.parametrize("password", ["elevenchars", "aaaaaaaaaaaaa", "annie-is-my-name", "x" * 201])
def test_passwords_that_are_tried_first_are_refused(password: str) -> None:
    with pytest.raises(BadInput):
        check_password(password, "annie")


def test_a_few_words_will_do() -> None:
    assert check_password("trois petits mots", "annie") == "trois petits mots"


def test_roles_are_those_that_are_known() -> None:
    assert check_role("ops") == "ops"
    with pytest.raises(BadInput, match="not a role"):
        check_role("root")


def test_a_partners_account_is_one_partners_and_no_other_is() -> None:
    check_bound("partner", 1, None)
    check_bound("technician", None, "7001")
    for role, partner, phone in (("partner", None, None), ("ops", 1, None), ("partner", 1, "7001")):
        with pytest.raises(BadInput):
            check_bound(role, partner, phone)  # type: ignore[arg-type]


def test_a_session_ends_to_the_instant() -> None:
    assert not session_over(created_at=NOW, seen_at=NOW, now=NOW + IDLE - _INSTANT)
    assert session_over(created_at=NOW, seen_at=NOW, now=NOW + IDLE)
    late = NOW + LONGEST
    assert not session_over(created_at=NOW, seen_at=late - _INSTANT, now=late - _INSTANT)
    assert session_over(created_at=NOW, seen_at=late - _INSTANT, now=late)

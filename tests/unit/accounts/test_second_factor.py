"""Codes of six digits, and recovery codes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyotp
import pytest

from ivr.accounts.second_factor import (
    RECOVERY_CODES,
    enrolment_uri,
    new_recovery_codes,
    new_secret,
    recovery_digest,
    step_of,
)

NOW = datetime(2026, 11, 24, 15, 0, 10, tzinfo=UTC)
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def code_at(moment: datetime) -> str:
    return pyotp.TOTP(SECRET).at(moment)


@pytest.mark.parametrize("seconds", [-30, 0, 30])
def test_a_code_is_good_a_step_before_and_after(seconds: int) -> None:
    moment = NOW + timedelta(seconds=seconds)
    assert step_of(SECRET, code_at(moment), NOW, None) == int(moment.timestamp()) // 30


@pytest.mark.parametrize("seconds", [-60, 60])
def test_and_no_further(seconds: int) -> None:
    assert step_of(SECRET, code_at(NOW + timedelta(seconds=seconds)), NOW, None) is None


def test_none_is_good_twice_nor_one_before_it() -> None:
    used = step_of(SECRET, code_at(NOW), NOW, None)
    assert step_of(SECRET, code_at(NOW), NOW, used) is None
    assert step_of(SECRET, code_at(NOW - timedelta(seconds=30)), NOW, used) is None


@pytest.mark.parametrize("code", ["", "12345", "1234567", "12345a", "१२३४५६"])
def test_what_is_no_code_is_wrong(code: str) -> None:
    assert step_of(SECRET, code, NOW, None) is None


def test_recovery_codes_differ_and_may_be_typed_with_spaces_and_capitals() -> None:
    codes = new_recovery_codes()
    assert len(set(codes)) == RECOVERY_CODES
    one = codes[0]
    assert recovery_digest(f" {one[:4].upper()} {one[4:8]}-{one[8:]}") == recovery_digest(one) is not None
    assert recovery_digest("nope") is None


def test_the_picture_names_the_line_and_the_account() -> None:
    uri = enrolment_uri(new_secret(), "annie")
    assert uri.startswith("otpauth://totp/omnivigil:annie?secret=")

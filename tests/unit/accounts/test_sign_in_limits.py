"""Who may try how often."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ivr.accounts.sign_in_limits import KNOWN, counted, known, mark, network_of, source_of

NOW = datetime(2026, 11, 18, 15, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("address", "source", "network"),
    [
        ("192.0.2.77", "192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64", "2001:db8:1::/48"),
        ("::ffff:192.0.2.77", "192.0.2.77", "192.0.2.0/24"),
        ("fe80::1%eth0", "fe80::/64", "fe80::/48"),
        ("unknown", "unknown", "unknown"),
    ],
)
def test_what_counts_as_one_source(address: str, source: str, network: str) -> None:
    """Whoever has a /64 of IPv6 has more addresses than anybody could count."""
    assert (source_of(address), network_of(address)) == (source, network)


def test_a_try_counts_for_its_network_its_source_and_the_account_from_there() -> None:
    assert [(one.kind, one.name) for one in counted(account="ops", address="192.0.2.7", browser=None)] == [
        ("network", "192.0.2.0/24"),
        ("source", "192.0.2.7"),
        ("account", "ops 192.0.2.7"),
    ]


def test_a_known_browser_counts_for_itself_alone() -> None:
    assert [one.name for one in counted(account="ops", address="192.0.2.7", browser="mark")] == ["ops mark"]


def test_a_mark_is_one_accounts_one_passwords_and_for_half_a_year() -> None:
    given = mark(account_id=1, password_hash="hash", now=NOW)
    assert known(given, account_id=1, password_hash="hash", now=NOW)
    assert known(given, account_id=1, password_hash="hash", now=NOW + KNOWN - timedelta(seconds=1))
    assert not known(given, account_id=1, password_hash="hash", now=NOW + KNOWN)
    assert not known(given, account_id=1, password_hash="hash", now=NOW - timedelta(seconds=1))
    assert not known(given, account_id=2, password_hash="hash", now=NOW)
    assert not known(given, account_id=1, password_hash="another", now=NOW)
    for forged in ("", "x", given[:-1], given + "0", given.upper(), given.replace(given[0], "f", 1), "é" + given):
        assert not known(forged, account_id=1, password_hash="hash", now=NOW)

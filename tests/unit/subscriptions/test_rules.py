"""Addresses, limits and secrets of subscriptions to the status page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ivr.errors import BadInput
from ivr.subscriptions import rules

NOW = datetime(2026, 11, 18, 15, 0, tzinfo=UTC)


@pytest.mark.parametrize("text", ["nom@exemple.ca", " Nom.Long+x@Sous.Exemple.CA "])
def test_addresses_as_people_write_them(text: str) -> None:
    assert rules.email_of(text) == text.strip().lower()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nom",
        "nom@exemple",
        "a@b.ca, c@d.ca",
        "a@b.ca\r\nBcc: c@d.ca",
        "<script>@exemple.ca",
        "a b@exemple.ca",
        f"{'a' * 65}@exemple.ca",
        f"a@{'b.' * 130}ca",
    ],
)
def test_what_is_no_address_is_refused_with_a_mend(text: str) -> None:
    with pytest.raises(BadInput) as refused:
        rules.email_of(text)
    assert (refused.value.field, refused.value.mend) == ("address", "write it as nom@exemple.ca")


def number(text: str) -> str:
    return rules.number_of(text, region="CA", regions=["CA", "US"], own=["18446664844"])


@pytest.mark.parametrize("text", ["418 555-0123", "(418) 555-0123", "+1 418.555.0123"])
def test_numbers_as_people_write_them(text: str) -> None:
    assert number(text) == "14185550123"


@pytest.mark.parametrize(
    "text", ["", "911", "1 900 555 0123", "+44 20 7946 0958", "18446664844", "418-555-01x3", "٤١٨"]
)
def test_toll_fraud_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        number(text)


def test_an_address_is_asked_seldom() -> None:
    assert not rules.may_ask(asked=1, asked_at=NOW, now=NOW + timedelta(minutes=9))
    assert rules.may_ask(asked=1, asked_at=NOW, now=NOW + timedelta(minutes=10))
    assert not rules.may_ask(asked=3, asked_at=NOW, now=NOW + timedelta(days=3))


def test_a_network_counts_as_one() -> None:
    assert rules.network_of("203.0.113.7") == rules.network_of("203.0.113.200") == "203.0.113.0/24"
    assert rules.network_of("2001:db8:1:2::3") == "2001:db8:1::/48"
    assert rules.network_of("testclient") == "unknown"


def test_a_code_is_worth_nothing_for_another_number() -> None:
    assert rules.hashed("sms", "a", "1", "123456") != rules.hashed("sms", "a", "2", "123456")
    assert len(rules.new_code()) == 6


def test_who_hears_of_what() -> None:
    assert rules.concerns([], ["a"])
    assert rules.concerns(["a"], [])
    assert rules.concerns(["a", "b"], ["b"])
    assert not rules.concerns(["a"], ["b"])

"""Asterisk's configuration takes nothing that would change its meaning."""

from __future__ import annotations

from typing import Any

import pytest

from ivr.asterisk.config import DeskRouting, PhoneAccount, QueueConfig, UnsafeConfiguration, _check

DESK: dict[str, Any] = {
    "id": "omnivigil",
    "dialled": ("18446664844",),
    "service_codes": ("611",),
    "language": "fr",
    "operator": "support",
    "operator_queue": "support",
    "operator_wait_s": 60,
}
QUEUE: dict[str, Any] = {
    "id": "support",
    "strategy": "rrmemory",
    "ring_s": 20,
    "retry_s": 2,
    "wrapup_s": 10,
    "announce_s": 30,
    "keys": ("1", "9"),
}
PHONE: dict[str, Any] = {
    "name": "6001",
    "ha1": "0" * 32,
    "kind": "customer",
    "language": "fr",
    "display": "Julie",
    "caller_id": "1",
}


def check(desk: dict[str, Any] | None = None, phone: dict[str, Any] | None = None, trunk: str = "127.0.0.0/8") -> None:
    """Check a configuration that differs in one value."""
    _check(
        desks=[DeskRouting(**(DESK | (desk or {})))],
        queues=[
            QueueConfig(
                id="support", strategy="rrmemory", ring_s=20, retry_s=2, wrapup_s=10, announce_s=30, keys=("1", "9")
            )
        ],
        phones=[PhoneAccount(**(PHONE | (phone or {})))],
        trunk_hosts=[trunk],
    )


def test_ordinary_values_pass() -> None:
    """Accents in a name too."""
    check(phone={"display": "Éloïse Bélanger, poste 12"})


@pytest.mark.parametrize(
    "changes",
    [
        {"phone": {"name": "6001]\n[evil"}},
        {"phone": {"caller_id": "1;2"}},
        {"phone": {"ha1": "x\nmd5_cred=y"}},
        {"phone": {"display": 'x" <999>'}},
        {"phone": {"display": "x\ny"}},
        {"desk": {"id": "a,1,System(id)"}},
        {"desk": {"dialled": ("1 => 2",)}},
        {"desk": {"operator_queue": "${EXTEN}"}},
        {"trunk": "0.0.0.0/0\nmatch=1"},
    ],
)
def test_what_would_become_configuration_is_refused(changes: dict[str, Any]) -> None:
    """Brackets, line breaks, separators, expansions."""
    with pytest.raises(UnsafeConfiguration):
        check(**changes)

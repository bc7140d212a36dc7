"""Whether the ports that a line answers on can be had."""

from __future__ import annotations

import socket
from collections.abc import Iterator

from ivr.errors import BadInput
from ivr.settings import Address, Settings

Ports = Iterator[tuple[str, Address, tuple[socket.SocketKind, ...]]]


def check_ports(settings: Settings, *, asterisk: bool = True) -> None:
    """Every port the line answers on is free; Asterisk's own too, unless it runs. Raises BadInput with the option."""
    for field, address, kinds in (*_of_service(settings), *(_of_asterisk(settings) if asterisk else ())):
        for kind in kinds:
            if (problem := taken(address, kind)) is not None:
                raise BadInput(field=field, problem=f"{address} {problem}", mend="stop what uses it, or choose another")


def _of_asterisk(settings: Settings) -> Ports:
    yield "--sip", settings.sip, (socket.SOCK_DGRAM, socket.SOCK_STREAM)
    yield "--ami", settings.ami, (socket.SOCK_STREAM,)


def _of_service(settings: Settings) -> Ports:
    yield "--http", settings.http, (socket.SOCK_STREAM,)
    yield "--agi", settings.agi, (socket.SOCK_STREAM,)
    yield "--agi", settings.hep_collector, (socket.SOCK_DGRAM,)


def taken(address: Address, kind: socket.SocketKind) -> str | None:
    """Return why a port cannot be had; None when it can."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family, kind) as probe:
        if kind == socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.host, address.port))
        except OSError as error:
            return f"cannot be used ({error.strerror})"
    return None

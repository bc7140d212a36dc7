"""Uvicorn as a part of the service: it leaves the signals alone, and rests while nobody asks anything."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import socket
from collections.abc import Mapping, Sequence

import uvicorn
from fastapi import FastAPI

from api.connection_limits import Door, DoorLimits, GuardedProtocol, SeldomFilter
from ivr.proxies import Network
from ivr.proxies import read as read_proxies
from ivr.settings import Address
from ivr.ticks import rest_unless

#: Answers are dated to the second.
_DATED_S = 1.0


class ApiServer(uvicorn.Server):
    """Uvicorn's own wakes ten times a second to see whether it is to end. This one is told by `end`.

    `proxies` are the networks whose word on whom they speak for is believed.
    """

    def __init__(
        self, config: uvicorn.Config, *, limits: DoorLimits | None = None, proxies: Sequence[Network] = ()
    ) -> None:
        super().__init__(config)
        self._ending = asyncio.Event()
        self.door = Door(limits or DoorLimits.of_this_process(), proxies)
        # Signals are the service's own business.
        self.capture_signals = contextlib.nullcontext  # type: ignore[assignment,method-assign]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, behind the door. Raises OSError when the address cannot be had: uvicorn would end the process."""
        uvicorns = logging.getLogger("uvicorn.error")
        if not any(isinstance(one, SeldomFilter) for one in uvicorns.filters):
            uvicorns.addFilter(SeldomFilter())
        self.config.http_protocol_class = functools.partial(GuardedProtocol, self.door)  # type: ignore[assignment]
        await super().startup(sockets if sockets is not None else [self._listening()])

    def _listening(self) -> socket.socket:
        host, port = self.config.host, self.config.port
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=self.config.backlog)

    async def main_loop(self) -> None:
        while not await self.on_tick(0):
            await rest_unless(self._ending, _DATED_S)

    def end(self) -> None:
        """Take no more requests and close what is open."""
        self.should_exit = True
        self._ending.set()


def server_of(app: FastAPI, at: Address, environment: Mapping[str, str]) -> ApiServer:
    """Make the server of an API at an address. Raises BadInput when OMNIVIGIL_PROXIES cannot be read."""
    proxies = read_proxies(environment)
    config = uvicorn.Config(
        app,
        host=at.host,
        port=at.port,
        log_level="warning",
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=2,
        server_header=False,
        # Nobody's word but theirs: without any, none is believed.
        proxy_headers=bool(proxies),
        forwarded_allow_ips=[str(network) for network in proxies],
    )
    return ApiServer(config, proxies=proxies)

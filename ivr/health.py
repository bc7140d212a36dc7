"""Judges how a line is: whether it takes calls, and what of it is degraded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ivr.asterisk import watchdog
from ivr.asterisk.ami import ManagerInterface, State
from ivr.clock import Clock
from ivr.desk_reload import DeskFiles
from ivr.directory.live_update import TakingUp
from ivr.errors import Unavailable
from ivr.notify import health as notice_health
from ivr.notify.config import NoticeConfig
from ivr.probing.probes import Probes
from ivr.process.parts import Parts
from ivr.settings import Settings
from ivr.store.engine import Store

#: The database has this long to answer, in seconds.
_PATIENCE_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Health:
    """Whether calls are taken, and how each component is: `ok`, or what is wrong."""

    taking_calls: bool
    #: Calls are taken, and something that they or their requests need is not well.
    degraded: bool = False
    components: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class HealthCheck:
    """Looks at the components of a line when it is called. `conversing` tells whether callers are talked to."""

    settings: Settings
    store: Store
    ami: ManagerInterface
    parts: Parts
    probes: Probes
    notices: NoticeConfig
    desk_files: DeskFiles
    taking_up: TakingUp
    clock: Clock
    conversing: Callable[[], bool]

    async def __call__(self) -> Health:
        """Look now. Raises nothing."""
        database, told = await self._database()
        problem = self.desk_files.problem
        components = {
            "asterisk": self._asterisk(),
            "calls": self.probes.calls_problem or "ok",
            "conversations": "ok" if self.conversing() else "starting",
            "database": database,
            "desks": f"degraded: the last good files are in force: {problem}" if problem is not None else "ok",
            "directory": f"degraded: {self.taking_up.problem}" if self.taking_up.problem else "ok",
            "disk": await asyncio.to_thread(self.probes.disk),
            "parts": self._parts(),
        }
        # Without the database calls are taken all the same, and requests go to the spool.
        taking = all(components[name] == "ok" for name in ("asterisk", "calls", "conversations"))
        # Notices that wait are a person's concern; calls lack nothing.
        degraded = any(state != "ok" for state in components.values())
        return Health(taking_calls=taking, degraded=degraded, components=components | {"notices": told})

    async def _database(self) -> tuple[str, str]:
        """Return the states of the database and of the notices that wait in it."""
        try:
            async with asyncio.timeout(_PATIENCE_S), self.store.reading() as unit:
                told = await notice_health.told(unit, self.notices, self.clock())
        except (Unavailable, TimeoutError) as error:
            return f"away: {error}", notice_health.configured(self.notices)
        return self.probes.write_problem or "ok", told

    def _asterisk(self) -> str:
        if self.ami.state is State.CONNECTED:
            return "ok"
        return watchdog.noted(self.settings) or self.ami.state.value

    def _parts(self) -> str:
        failing = sorted(self.parts.failing.items())
        return "; ".join(f"degraded: {name}: {why}" for name, why in failing) or "ok"

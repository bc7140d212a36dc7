"""The figures of a line as Prometheus reads them: counters, and how everything stands at the moment of asking."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import get_args

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from ivr import logs
from ivr.callbacks.model import State as CallbackState
from ivr.calls.log import CallLog
from ivr.clock import Clock
from ivr.errors import Unavailable
from ivr.events import EventBus
from ivr.metrics import gauges
from ivr.metrics.counters import Counters
from ivr.metrics.gauges import Standing
from ivr.probing.probes import Probes
from ivr.quality.verdict import Cause
from ivr.queueing.queue_state import QueueWatch
from ivr.store.engine import Store
from ivr.tickets.model import Status

#: The database is asked no more often than this, in seconds, however many scrape; and it has so long to answer.
_FRESH_S = 5.0
_PATIENCE_S = 2.0
_LOGS = ("service.log", "messages", "security")
_CHANNELS = ("email", "sms", "webhook", "statuspage")
_CALL_STATES = ("menu", "queue", "ringing", "talking")


class LineMetrics:
    """What `GET /metrics` tells. Labels name desks, queues, states and channels, never a person or a number."""

    def __init__(  # noqa: PLR0913 - what it works with, each by its name
        self,
        *,
        counters: Counters,
        store: Store,
        bus: EventBus,
        watch: QueueWatch,
        calls: CallLog,
        clock: Clock,
        ami_connected: Callable[[], bool],
        probes: Probes,
        log_bytes: Callable[[], Mapping[str, int]] = dict,
        directory_taken_up: Callable[[], bool] = lambda: True,
    ) -> None:
        self.counters = counters
        self._store, self._bus, self._watch, self._calls = store, bus, watch, calls
        self._clock, self._ami_connected, self._probes = clock, ami_connected, probes
        self._log_bytes, self._directory_taken_up = log_bytes, directory_taken_up
        self._asking = asyncio.Lock()
        self._standing: Standing | None = None
        self._asked_at: float | None = None
        counters.registry.register(self)

    async def text(self) -> bytes:
        """Prometheus's text format, version 0.0.4. Without the database, what it alone knows is left out."""
        async with self._asking:
            if self._asked_at is None or time.monotonic() - self._asked_at >= _FRESH_S:
                self._standing = await self._ask()
                self._asked_at = time.monotonic()
        return generate_latest(self.counters.registry)

    async def run(self) -> None:
        """Count until the bus is closed."""
        await self.counters.run(self._bus)

    async def _ask(self) -> Standing | None:
        try:
            async with asyncio.timeout(_PATIENCE_S), self._store.reading() as unit:
                return await gauges.read(unit, self._clock())
        except (Unavailable, TimeoutError):
            return None

    def describe(self) -> Iterable[Metric]:
        """For the registry, which must not collect while it is being put together."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Everything that is not counted but looked at."""
        yield _one("omnivigil_ami_connected", "Whether Asterisk's manager is there.", self._ami_connected())
        taken_up = "Whether Asterisk could take up what changed last in the directory."
        yield _one("omnivigil_directory_taken_up", taken_up, self._directory_taken_up())
        sizes = _filled(self._log_bytes(), _LOGS)
        yield _by("omnivigil_log_bytes", "Bytes of each log on disk, with its old ones.", "log", sizes)
        dropped = "Lines of the service's log that could not be written since it began."
        yield CounterMetricFamily("omnivigil_log_lines_dropped", dropped, value=float(logs.dropped()))
        clients = self._bus.listeners - self.counters.following
        yield _one("omnivigil_event_listeners", "Clients that follow events.", clients)
        yield from self._queues()
        live = [call.state for call in self._calls.live()]
        counts = {state: live.count(state) for state in _CALL_STATES}
        yield _by("omnivigil_calls_in_progress", "Calls now, by where they are.", "state", counts)
        yield _one("omnivigil_database_up", "Whether the database answered.", self._standing is not None)
        yield from _tried(self._probes)
        if self._standing is not None:
            yield from _told(self._standing)

    def _queues(self) -> Iterator[Metric]:
        waiting = GaugeMetricFamily(
            "omnivigil_waiting",
            "Who waits now: callers, and places held for callbacks (OV-9).",
            labels=["queue", "kind"],
        )
        ewt = GaugeMetricFamily(
            "omnivigil_expected_wait_seconds",
            "What the next caller would be told (OV-8); not there while nobody is to answer.",
            labels=["queue"],
        )
        people = GaugeMetricFamily(
            "omnivigil_technicians", "Technicians: logged in, and free this moment.", labels=["queue", "state"]
        )
        for queue in self._watch.queues:
            places = list(self._watch.places(queue))
            held = sum(place.callback is not None for place in places)
            waiting.add_metric([queue, "held"], held)
            waiting.add_metric([queue, "live"], len(places) - held)
            if (wait_s := self._watch.wait_s(queue, len(places) + 1)) is not None:
                ewt.add_metric([queue], wait_s)
            people.add_metric([queue, "logged-in"], self._watch.technicians(queue))
            people.add_metric([queue, "free"], self._watch.free(queue))
        yield from (waiting, ewt, people)


def _tried(probes: Probes) -> Iterator[Metric]:
    yield _one(
        "omnivigil_call_in_up", "Whether our own SIP address answers, as a call needs.", not probes.calls_problem
    )
    yield _one("omnivigil_database_writable", "Whether a row can be written.", not probes.write_problem)
    yield _one("omnivigil_database_write_seconds", "How long the last write of that row took.", probes.write_s)
    if (free := probes.free_bytes()) is not None:
        yield _one("omnivigil_disk_free_bytes", "Room on the disk of the state folder.", free)


def _told(now: Standing) -> Iterator[Metric]:
    # Every state is there from the start, with 0: a series that comes out of nothing has no increase.
    yield _by("omnivigil_tickets", "Tickets, by status.", "status", _filled(now.tickets, get_args(Status)))
    yield _one("omnivigil_tickets_overdue", "Open tickets with a broken promise or clock (OV-14).", now.overdue)
    states = _filled(now.callbacks, get_args(CallbackState))
    yield _by("omnivigil_callbacks", "Callbacks asked for in the last day, by state.", "state", states)
    causes = _filled(now.traces, get_args(Cause))
    yield _by("omnivigil_call_traces", "*57: reports of the last 30 days, by verdict (OV-24).", "cause", causes)
    pending = _filled(now.outbox, _CHANNELS)
    yield _by("omnivigil_outbox_pending", "Notices that have not gone yet.", "channel", pending)
    oldest = {channel: now.oldest_s.get(channel, 0.0) for channel in pending}
    yield _by("omnivigil_outbox_oldest_seconds", "Age of the oldest of them.", "channel", oldest)
    in_force = GaugeMetricFamily(
        "omnivigil_incidents_in_force", "Incidents that are not resolved (OV-26).", labels=["desk", "stage"]
    )
    for (desk, stage), count in sorted(now.incidents.items()):
        in_force.add_metric([desk, stage], count)
    yield in_force


def _filled(counts: Mapping[str, int], names: Iterable[str]) -> dict[str, int]:
    return dict.fromkeys(names, 0) | dict(counts)


def _one(name: str, what: str, value: float) -> Metric:
    return GaugeMetricFamily(name, what, value=float(value))


def _by(name: str, what: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(name, what, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family

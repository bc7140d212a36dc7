"""What is counted as it happens, in this process: calls, waits, steps of conversations, audio, transactions."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from ivr import VERSION
from ivr.calls.refusals import REASONS
from ivr.events import Event, EventBus
from ivr.evidence.legs import EndedLeg
from ivr.quality import emodel
from ivr.quality.verdict import FEWEST

#: Seconds; the promises to callers are told in minutes.
_WAITS_S = (5, 10, 20, 30, 60, 120, 180, 300, 600, 900, 1800, 3600)
_STEPS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
_DATABASE_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
#: Mean opinion scores at which people's words for a call change (G.107 annex B).
_MOS = (1.0, 2.0, 2.6, 3.1, 3.6, 4.0, 4.3, 4.5)


class Counters:
    """Everything counted since the service's start. Nothing here waits, and nothing is written."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        #: Whether events are followed for counting: one listener of the bus is ours then.
        self.following = False
        self.calls = Counter(
            "omnivigil_calls", "Calls that ended, by how (OV-1).", ["desk", "result"], registry=self.registry
        )
        self.refusals = Counter(
            "omnivigil_calls_refused",
            "Calls beyond a limit, and phones' contacts that were not rung: `ivr.calls.refusals` has the reasons.",
            ["reason"],
            registry=self.registry,
        )
        for reason in REASONS:
            self.refusals.labels(reason)
        self.queue_calls = Counter(
            "omnivigil_queue_calls",
            "Calls that stood in a queue: answered, or lost to whatever else.",
            ["queue", "outcome"],
            registry=self.registry,
        )
        self.waits = Histogram(
            "omnivigil_queue_wait_seconds",
            "From standing in the queue to an answer, or to the end without one.",
            ["queue", "outcome"],
            buckets=_WAITS_S,
            registry=self.registry,
        )
        self.steps = Histogram(
            "omnivigil_agi_step_seconds",
            "From Asterisk's word to our next command: what a caller waits for us between two steps.",
            buckets=_STEPS_S,
            registry=self.registry,
        )
        self.mos = Histogram(
            "omnivigil_leg_mos",
            "Mean opinion score of the worse direction of each answered leg (G.107).",
            ["side"],
            buckets=_MOS,
            registry=self.registry,
        )
        self.database = Histogram(
            "omnivigil_database_seconds",
            "A whole transaction, with the wait for its turn and for the disk.",
            ["kind"],
            buckets=_DATABASE_S,
            registry=self.registry,
        )
        self.missed = Counter(
            "omnivigil_metrics_gaps",
            "Times that counting fell so far behind that it lost events.",
            registry=self.registry,
        )
        self.part_restarts = Counter(
            "omnivigil_part_restarts",
            "Times that a part of the service failed and was started again.",
            ["part"],
            registry=self.registry,
        )
        self.texts_refused = Counter(
            "omnivigil_texts_refused",
            "Text messages and e-mails that did not leave, so that nobody is made a nuisance of.",
            ["reason"],
            registry=self.registry,
        )
        self.budgets = Gauge(
            "omnivigil_text_budget_used_ratio",
            "How much of a budget of text messages or e-mails was spent when it was last drawn on.",
            ["budget"],
            registry=self.registry,
        )
        build = Gauge("omnivigil_build_info", "Always 1.", ["version", "python"], registry=self.registry)
        build.labels(VERSION, platform.python_version()).set(1)
        # Asked for on every step and every transaction: looking the label up costs more than counting.
        self.step = self.steps.observe
        self._transactions = {kind: self.database.labels(kind) for kind in ("read", "write")}

    def transaction(self, kind: str, seconds: float) -> None:
        """A transaction, `read` or `write`, is over."""
        self._transactions[kind].observe(seconds)

    def part_restarted(self, part: str) -> None:
        """A part of the service failed and is started again."""
        self.part_restarts.labels(part).inc()

    def text_refused(self, reason: str) -> None:
        """A text message or an e-mail did not leave."""
        self.texts_refused.labels(reason).inc()

    def budget_used(self, budget: str, ratio: float) -> None:
        """Of a budget so much is spent, 0 to 1."""
        self.budgets.labels(budget).set(ratio)

    def refused(self, reason: str) -> None:
        """The dialplan refused something, for one of `ivr.calls.refusals.REASONS`."""
        self.refusals.labels(reason).inc()

    def leg_ended(self, leg: EndedLeg) -> float | None:
        """Audio ended; its score, as of `leg_mos`. What is too short or not known in any direction is not counted."""
        if (heard := leg_mos(leg)) is not None:
            self.mos.labels("trunk" if leg.trunk else "phone").observe(heard)
        return heard

    def recovered(self, desk: str, result: str) -> None:
        """A call is over whose end nobody saw as it happened."""
        self.calls.labels(desk, result).inc()

    def enter(self, event: Event) -> None:
        """Count one event; others than calls' ends are passed over."""
        if event.kind == "call.ended":
            self._ended(event.data)

    def _ended(self, call: Mapping[str, Any]) -> None:
        self.calls.labels(call["desk"], call["result"]).inc()
        queue, since = call["queue"], call["queued_at"]
        if queue is None or since is None:
            return
        outcome = "lost" if call["answered_at"] is None else "answered"
        until = call["answered_at"] or call["ended_at"]
        self.queue_calls.labels(queue, outcome).inc()
        # A clock that was set back must not make a negative wait.
        self.waits.labels(queue, outcome).observe(max(0.0, (until - since).total_seconds()))

    async def run(self, bus: EventBus) -> None:
        """Follow the line's events until the bus is closed."""
        while True:
            with bus.listen() as listener:
                self.following = True
                async for event in listener:
                    self.enter(event)
            self.following = False
            if bus.closed:
                return
            self.missed.inc()


def leg_mos(leg: EndedLeg) -> float | None:
    """The score, from 1 to 4.5, of a leg's worse direction; None when none is known well enough."""
    if leg.feature or not leg.answered:
        return None
    one_way = leg.rtt_ms / 2 if leg.rtt_ms is not None else None
    scores = [
        emodel.score(leg.codec, min(1.0, lost / sent), one_way)
        for sent, lost in ((_sum(leg.rx, leg.lost), leg.lost), (leg.tx, leg.their_lost))
        if sent is not None and lost is not None and sent >= FEWEST
    ]
    return min((one.mos for one in scores if one is not None), default=None)


def _sum(came: int | None, lost: int | None) -> int | None:
    if came is None or lost is None:
        return None
    return came + lost

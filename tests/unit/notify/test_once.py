"""The whole life of a text message: with lost answers and killed workers it still leaves at most once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from hypothesis import given
from hypothesis import strategies as st

from ivr.notify.delivery import (
    FINAL,
    LIFETIME,
    Absent,
    Accepted,
    Outcome,
    Standing,
    State,
    Step,
    Temporary,
    Unclear,
    expired,
    lease_lost,
    settle,
)

LEASE = timedelta(seconds=30)
BEGUN = datetime(2026, 11, 18, 3, 0, tzinfo=UTC)

Sent = Literal[
    "answered", "taken, answer lost", "taken, killed", "lost", "killed", "killed before", "429", "not reached"
]
Looked = Literal["seen", "list away", "killed"]

sends = st.sampled_from(
    ["answered", "taken, answer lost", "taken, killed", "lost", "killed", "killed before", "429", "not reached"]
)
looks = st.sampled_from(["seen", "list away", "killed"])


@dataclass
class Life:
    """One message, its row and the provider."""

    #: The provider's list has a message this long after it took it.
    lag: timedelta
    now: datetime = BEGUN
    next_at: datetime | None = BEGUN
    taken_at: list[datetime] = field(default_factory=list)
    row: Standing = field(
        default_factory=lambda: Standing(kind="sms", state="pending", attempts=0, expires_at=BEGUN + LIFETIME["sms"])
    )

    def become(self, state: State, **more: int) -> None:
        self.row = replace(self.row, state=state, **more)  # type: ignore[arg-type]

    def take(self, step: Step) -> None:
        self.row = replace(self.row, state=step.state, unknown_since=step.unknown_since, error=step.error)
        self.next_at = step.next_at

    def killed(self) -> None:
        self.now += LEASE
        self.take(lease_lost(self.row, now=self.now, jitter=0.5))

    def send(self, how: Sent) -> None:
        self.become("leased")
        if expired(self.row, self.now):
            self.take(Step(state="dead"))
        elif how == "killed before":
            self.killed()
        else:
            self.become("sending", attempts=self.row.attempts + 1)
            if how in ("answered", "taken, answer lost", "taken, killed"):
                self.taken_at.append(self.now)
            if how in ("taken, killed", "killed"):
                self.killed()
                return
            outcomes: dict[Sent, Outcome] = {
                "answered": Accepted(provider_id="SM1"),
                "429": Temporary(reason="429", retry_after_s=90),
                "not reached": Temporary(reason="not reached"),
            }
            self.take(settle(self.row, outcomes.get(how, Unclear(reason="lost")), now=self.now, jitter=0.5))

    def look(self, how: Looked) -> None:
        self.become("reconciling")
        if how == "killed":
            self.killed()
            return
        listed = any(self.now - taken >= self.lag for taken in self.taken_at)
        seen: Outcome = Accepted(provider_id="SM1") if listed else Absent()
        outcome: Outcome = Unclear(reason="away") if how == "list away" else seen
        self.take(settle(self.row, outcome, now=self.now, jitter=0.5))


@given(
    lag=st.floats(min_value=0, max_value=119),
    sent=st.lists(sends, max_size=20),
    looked=st.lists(looks, max_size=20),
)
def test_it_leaves_at_most_once_and_is_sent_only_when_it_left(
    lag: float, sent: list[Sent], looked: list[Looked]
) -> None:
    life = Life(lag=timedelta(seconds=lag))
    for _ in range(5_000):
        if life.row.state in FINAL:
            break
        assert life.next_at is not None
        life.now = max(life.now, life.next_at)
        if life.row.state == "unknown":
            life.look(looked.pop() if looked else "seen")
        else:
            life.send(sent.pop() if sent else "answered")
    assert life.row.state in FINAL
    assert len(life.taken_at) <= 1
    assert (life.row.state == "sent") <= (len(life.taken_at) == 1)
    assert life.now < BEGUN + LIFETIME["sms"] + timedelta(hours=2)

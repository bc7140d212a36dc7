"""`bench api`: made-up requests for every operation of the API, from several hands, against a real line of its own.

What is looked for: answers of 5xx, requests without an answer, and a service that is not the one it was before.
Cases are made by schemathesis of the API's description; the same seed makes the same ones.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import itertools
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import seed as seeded
from hypothesis import settings as hypothesis_settings
from rich.console import Console
from rich.table import Table

from bench.running import OPEN, open_line, running_service, until_up
from ivr.accounts.api_tokens import create_token
from ivr.clock import system_clock
from ivr.settings import Address, Settings
from ivr.store.engine import open_store

#: Their answers never end.
_ENDLESS = {("GET", "/v1/events")}
#: Cases of one operation at a time; the others have their turn in between.
_ROUND = 25
#: After so many requests without an answer nobody is there.
_ENOUGH_SILENCE = 100
#: An answer that takes longer, in seconds, is told.
_SLOW_S = 5.0
_PARTS = frozenset({"method", "url", "headers", "params", "cookies", "data", "json", "files"})
_ID = re.compile(r"[^\w/{}.-]")


@dataclass(kw_only=True)
class Outcome:
    """What became of the cases."""

    seed: int
    cases: int = 0
    seconds: float = 0.0
    #: By hundreds: 2 for all that did something.
    answered: Counter[int] = field(default_factory=Counter)
    #: By credential and hundreds.
    by_hand: Counter[tuple[str, int]] = field(default_factory=Counter)
    #: What should not be, the first few: operation, status or problem.
    wrong: list[str] = field(default_factory=list)
    slow: int = 0
    slowest_s: float = 0.0
    same_service: bool = True


async def run_cases(console: Console, state: Path, *, cases: int, seed: int) -> Outcome:
    """A line of its own, and so many cases."""
    settings = Settings(
        state=state,
        sip=Address(host="127.0.0.1", port=5970),
        http=Address(host="127.0.0.1", port=8970),
        agi=Address(host="127.0.0.1", port=4970),
        ami=Address(host="127.0.0.1", port=5971),
        rtp=(33_000, 33_200),
        clock_shift_s=(OPEN - system_clock()).total_seconds(),
    )
    asterisk = await open_line(settings, console)
    try:
        async with running_service(settings) as service:
            await until_up(settings)
            hands = await _hands(settings)
            before = service.pid
            outcome = await asyncio.to_thread(_ask_all, settings.http, hands, cases, seed, console)
            outcome.same_service = before is not None and service.pid == before
            return outcome
    finally:
        await asterisk.stop()


async def _hands(settings: Settings) -> dict[str, str | None]:
    """Who asks: what stands in Authorization, by name."""
    store = open_store(settings.database_url)
    try:
        async with store.unit() as unit:
            write = await create_token(unit, "bench", ("read", "write"), system_clock())
            read = await create_token(unit, "bench-read", ("read",), system_clock())
    finally:
        await store.close()
    return {"write": f"Bearer {write}", "read": f"Bearer {read}", "none": None, "wrong": "Bearer ovt_wrong"}


def _ask_all(http_at: Address, hands: Mapping[str, str | None], cases: int, seed: int, console: Console) -> Outcome:
    outcome = Outcome(seed=seed)
    base = f"http://{http_at}"
    asking = requests.Session()
    asking.trust_env = False
    operations = list(_operations(asking.get(f"{base}/openapi.json", timeout=60).json()))
    # Half of all may change something; a case from a hand without rights ends at the first guard.
    turn = itertools.cycle(["write", "write", "write", "read", "write", "none", "write", "wrong"])
    began = told = time.monotonic()
    for round_ in itertools.count():
        for operation in operations:
            if outcome.cases >= cases or outcome.answered[0] >= _ENOUGH_SILENCE:
                outcome.seconds = time.monotonic() - began
                return outcome

            def ask(case: Any, operation: Any = operation) -> None:
                if outcome.cases < cases:
                    hand = next(turn)
                    _ask(asking, base, case, operation, hand, hands[hand], outcome)

            _made_up(operation, seed * 1_000_003 + round_, ask)
            if time.monotonic() - told > 60:
                told = time.monotonic()
                console.print(
                    f"{outcome.cases} cases, {outcome.answered[5]} of 5xx, {outcome.answered[0]} without an answer",
                    style="dim",
                )
    raise AssertionError


def _operations(described: dict[str, Any]) -> Iterator[Any]:
    schema: Any = schemathesis.openapi.from_dict(described)
    for found in schema.get_all_operations():
        operation = found.ok()
        if (operation.method.upper(), operation.path) not in _ENDLESS:
            yield operation


def _made_up(operation: Any, seed: int, ask: Any) -> None:
    @seeded(seed)
    @hypothesis_settings(
        max_examples=_ROUND,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(case=operation.as_strategy())
    def run(case: Any) -> None:
        ask(case)

    run()


def _ask(
    asking: requests.Session, base: str, case: Any, operation: Any, hand: str, credential: str | None, outcome: Outcome
) -> None:
    what = f"{operation.method.upper()} {operation.path}"
    if outcome.cases % 2:
        # What is made up names nothing that there is: every other request is about something.
        known = {"number": 100_001, "incident_id": 1, "desk": "omnivigil", "queue": "support", "endpoint": "7001"}
        case.path_parameters |= {name: known[name] for name in known.keys() & case.path_parameters.keys()}
    parts = case.as_transport_kwargs(base_url=base)
    try:
        made = requests.Request(**{name: parts[name] for name in _PARTS & parts.keys()}).prepare()
    except (ValueError, requests.RequestException):
        # No client can send it.
        return
    made.headers.pop("Authorization", None)
    if credential is not None:
        made.headers["Authorization"] = credential
    outcome.cases += 1
    began = time.monotonic()
    try:
        answer = asking.send(made, timeout=60, allow_redirects=False)
        status = answer.status_code
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        status = 0
        _wrong(outcome, f"{what}: no answer: {type(error).__name__}: {_ID.sub(' ', str(error))[:160]}")
    took = time.monotonic() - began
    outcome.slowest_s = max(outcome.slowest_s, took)
    outcome.slow += took > _SLOW_S
    outcome.answered[status // 100] += 1
    outcome.by_hand[hand, status // 100] += 1
    if status >= 500:
        with contextlib.suppress(ValueError):
            what = f"{what}: {answer.json().get('detail', '')}"
        _wrong(outcome, f"{status} {what}")


def _wrong(outcome: Outcome, what: str) -> None:
    if len(outcome.wrong) < 50 and what not in outcome.wrong:
        outcome.wrong.append(what)


def report(outcome: Outcome, console: Console) -> bool:
    """Print it; whether all held."""
    table = Table("credential", "cases", "2xx", "4xx", "5xx", "no answer", title=f"bench api, seed {outcome.seed}")
    for hand in ("write", "read", "none", "wrong"):
        of = {status: count for (name, status), count in outcome.by_hand.items() if name == hand}
        row = (sum(of.values()), *(of.get(status, 0) for status in (2, 4, 5, 0)))
        table.add_row(hand, *map(str, row))
    console.print(table)
    told = f"{outcome.cases} cases in {outcome.seconds:.0f} s; slowest answer {outcome.slowest_s * 1000:.0f} ms; "
    told += f"{outcome.slow} slower than {_SLOW_S:g} s; {outcome.answered[5]} of 5xx; "
    told += "the same service throughout" if outcome.same_service else "the service was started again"
    console.print(told)
    for one in outcome.wrong:
        console.print(one, markup=False)
    return not outcome.wrong and outcome.same_service

"""Whatever the directory says, Asterisk reads its configuration without a word, at its start and while it runs."""

from __future__ import annotations

import asyncio
import itertools
import re
import string
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ivr.asterisk import process, reload
from ivr.asterisk.config import DeskRouting, FixedPrompts, Folders, QueueConfig, render, unread
from ivr.asterisk.runtime import Runtime
from ivr.directory.asterisk_rows import phone_rows
from ivr.directory.entries import CODECS
from ivr.directory.model import Customer, Endpoint, Number
from ivr.directory.snapshot import Book
from ivr.numbers import calling_rights
from ivr.prepare import line_secrets, phone_accounts
from ivr.settings import Address, Settings
from ivr.trunks import Trunk
from tests.integration.asterisk.real import find_runtime, free_port

#: What people are called, by mistake and on purpose.
NASTY = (
    "Éloïse Bélanger, poste 12",
    '"; drop',
    "a]\n[evil](phone)\ncontext = outbound",
    "${SHELL(id)}",
    "$[1 + 1]",
    "\\",
    "x" * 300,
    "📞 ☎",
    "\u202eabc",
    "a;b",
    "<sip:1@evil>",
    "=> 1,1,System(id)",
    "{{ secrets }}{% raw %}",
    "#include /etc/passwd",
    "#exec id",
    "",
)


def book(names: list[str], displays: list[str], rights: list[tuple[str, ...]]) -> Book:
    """Phones of these names, each with what it may have; two share a number."""
    customers = {at: Customer(id=at, account=f"C-{at}", name="Essai", dial_rights=one) for at, one in enumerate(rights)}
    endpoints = {
        name: Endpoint(
            name=name,
            kind=("customer", "technician", "department")[at % 3],
            language=("fr", "en")[at % 2],
            ha1=f"{at:032x}",
            caller_id=f"1418555{at // 2:04}",
            display=display,
            customer_id=at % len(rights) if at % 3 == 0 else None,
            codecs=CODECS[: at % 4],
            transport=(None, "udp", "tcp")[at % 3],
            call_limit=at % 3 or None,
            devices=1 + at % 5,
        )
        for at, (name, display) in enumerate(zip(names, itertools.cycle(displays), strict=False))
    }
    numbers = {phone.caller_id: Number(e164=phone.caller_id, customer_id=0) for phone in endpoints.values()}
    return Book(customers=customers, endpoints=endpoints, numbers={"main": numbers})


class Rendered:
    """One state folder, and an Asterisk that may run on it."""

    def __init__(self, state: Path, runtime: Runtime) -> None:
        local = [Address(host="127.0.0.1", port=free_port()) for _ in range(5)]
        self.settings = Settings(
            state=state,
            sip=local[0],
            http=local[1],
            agi=local[2],
            ami=local[3],
            rtp=(39000, 39098),
            demo=False,
            outbound=local[4],
        )
        self.runtime = runtime
        self.etc = Folders.below(self.settings).etc
        self.sound = str(state / "silence")

    def write(self, known: Book) -> frozenset[str]:
        """Render it."""
        return render(
            settings=self.settings,
            runtime=self.runtime,
            secrets=line_secrets(self.settings.state),
            desks=[
                DeskRouting(
                    id="omnivigil",
                    dialled=("18446664844",),
                    service_codes=("611",),
                    language="fr",
                    operator="support",
                    operator_queue="support",
                    operator_wait_s=60,
                    outside=("15145559103",),
                )
            ],
            queues=[
                QueueConfig(
                    id="support", strategy="rrmemory", ring_s=20, retry_s=2, wrapup_s=10, announce_s=30, keys=("1",)
                )
            ],
            phones=phone_accounts(known),
            prompts=FixedPrompts(
                not_in_service=self.sound,
                technician_login=self.sound,
                waiting={"fr": self.sound},
                not_allowed=self.sound,
                tracing={},
                no_way_out=self.sound,
                fallback={},
            ),
            trunks=[Trunk(host="127.0.0.0/8"), Trunk(host="127.0.0.80", identity="asserted")],
            callback_ring_s=30,
            outside={right: calling_rights.patterns(right) for right in calling_rights.RIGHTS},
            premium=calling_rights.PREMIUM_PATTERNS,
            trace_within_s=1800,
        )

    def complaints(self) -> list[str]:
        """What Asterisk's log has of warnings and errors."""
        text = (Folders.below(self.settings).log / "messages").read_text(errors="replace")
        return [line for line in text.splitlines() if " WARNING[" in line or " ERROR[" in line]


@pytest.fixture
def rendered(tmp_path: Path) -> Rendered:
    """Nothing yet."""
    state = tmp_path / "state"
    state.mkdir()
    return Rendered(state, find_runtime())


NAMES = st.lists(
    st.text(string.ascii_lowercase + string.digits, min_size=2, max_size=12).map(lambda text: f"p{text}"),
    min_size=1,
    max_size=12,
    unique=True,
)
RIGHTS = st.lists(st.sampled_from(calling_rights.RIGHTS), unique=True).map(tuple)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(names=NAMES, displays=st.lists(st.text(), min_size=1), rights=st.lists(RIGHTS, min_size=1, max_size=4))
def test_any_directory_gives_the_sections_of_its_phones_and_no_others(
    rendered: Rendered, names: list[str], displays: list[str], rights: list[tuple[str, ...]]
) -> None:
    """No name, however it is written, becomes configuration; and what is the same is not written again."""
    known = book(names, displays, rights)
    rendered.write(Book())
    without = re.findall(r"^\[(\S+?)\]", (rendered.etc / "pjsip.conf").read_text(), re.M)
    assert rendered.write(known) == {"pjsip.conf", "extensions.conf"}
    text = (rendered.etc / "pjsip.conf").read_text()
    assert sorted(re.findall(r"^\[(\S+?)\]", text, re.M)) == sorted(without + [name for name in names for _ in "123"])
    for line in text.splitlines():
        assert re.fullmatch(r"|;.*|\[[\w-]+\](\(\w*!?\))?|\w+ = .*", line), line
    assert rendered.write(replace(known)) == frozenset()


async def test_asterisk_reads_it_without_a_word_and_while_it_runs(rendered: Rendered) -> None:
    """First a directory without anybody, then with nasty names, then without most of them."""
    rendered.write(Book())
    asterisk = await process.start(rendered.runtime, rendered.settings)
    cli = partial(process.cli, rendered.runtime, rendered.settings)
    try:
        before = rendered.complaints()
        known = book([f"{6000 + at}" for at in range(40)], list(NASTY), [(), ("local",), calling_rights.RIGHTS])
        assert len(phone_rows(known)) == 40
        for one in (known, replace(known, endpoints=dict(list(known.endpoints.items())[:3]))):
            rendered.write(one)
            await reload.reload(cli, unread(rendered.etc))
            shown = await cli("pjsip list endpoints")
            assert set(re.findall(r"Endpoint:  (60\d\d)", shown)) == set(one.endpoints)
            dialled = await cli("dialplan show phones")
            assert set(re.findall(r"'(60\d\d)' =>", dialled)) == set(one.endpoints)
        assert rendered.complaints() == before
    finally:
        await asyncio.shield(asterisk.stop())

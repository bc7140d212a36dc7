"""A whole configuration of Asterisk, rendered into a folder."""

from __future__ import annotations

import itertools
from pathlib import Path

from ivr.asterisk.config import LineConfiguration, render
from ivr.asterisk.folders import FixedPrompts, Folders
from ivr.asterisk.routing import DepartmentRouting, DeskRouting, QueueConfig
from ivr.asterisk.runtime import Runtime
from ivr.directory.entries import CODECS
from ivr.directory.model import Customer, Endpoint, Number
from ivr.directory.snapshot import Book
from ivr.numbers import calling_rights
from ivr.prepare import line_secrets, phone_accounts
from ivr.settings import Address, Settings
from ivr.trunks import Trunk
from tests.integration.asterisk.real import free_port


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

    def write(self, known: Book, *, record_calls: bool = False) -> frozenset[str]:
        """Render it. Returns the files that differ from before."""
        return render(
            LineConfiguration(
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
                        departments=(DepartmentRouting(id="support", queue="support", seconds=60),),
                        transfers={"5000": "support"},
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
                record_calls=record_calls,
            )
        )

    def complaints(self) -> list[str]:
        """What Asterisk's log has of warnings and errors."""
        text = (Folders.below(self.settings).log / "messages").read_text(errors="replace")
        return [line for line in text.splitlines() if " WARNING[" in line or " ERROR[" in line]


def no_runtime(root: Path) -> Runtime:
    """A runtime that has no program: enough to render, not to run."""
    return Runtime(
        root=root,
        loader=(),
        asterisk=root / "asterisk",
        version=(22, 10, 1),
        modules=root / "modules",
        data=root / "data",
        sipp=root / "sipp",
        pico_library=root / "pico",
        pico_languages=root / "languages",
        core_sounds=root / "sounds",
    )

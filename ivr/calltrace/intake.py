"""A report on its way to becoming a ticket: all that is known of the call, and the key that makes it one ticket."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Literal

from pydantic import Base64Bytes, TypeAdapter, ValidationError

from ivr.errors import OmnivigilError
from ivr.quality.figures import Leg
from ivr.quality.verdict import Cause, Reason, Verdict
from ivr.tickets.intake import Notice, Requester
from ivr.tickets.model import Priority

Source = Literal["phone", "away", "api"]


class UnreadableReport(OmnivigilError):
    """A spooled report cannot be read."""


@dataclass(frozen=True, kw_only=True)
class PartnerNotice:
    """The account's partner, who is told at once (OV-21)."""

    name: str
    email: str | None


@dataclass(frozen=True, kw_only=True)
class TraceIntake:
    """One report of one call. Entered twice under one `key`, it is one ticket; under one `report_id`, one report."""

    key: str
    report_id: str
    at: datetime
    source: Source
    desk: str
    department: str
    language: str
    linkedid: str
    device: str
    other: str | None
    direction: Literal["out", "in"] | None
    started: datetime | None
    requester: Requester
    partner: PartnerNotice | None
    notice: Notice
    mos: float | None
    no_audio: bool
    priority: Priority
    cause: Cause
    confidence: float
    reasons: tuple[Reason, ...]
    near: Leg
    far: Leg | None
    trunk: str | None
    site: str | None
    codec: str | None
    #: SIP and RTCP, as the evidence's table has them.
    packets: Base64Bytes
    #: What the caller was told already, where the dialplan took the report.
    told_reference: str | None = None
    #: The incident that touches the caller.
    incident_id: int | None = None

    @property
    def verdict(self) -> Verdict:
        """The verdict."""
        return Verdict(cause=self.cause, confidence=self.confidence, reasons=self.reasons)

    @cached_property
    def reference(self) -> str:
        """Eight digits that are known before the ticket has a number, and kept with it."""
        if self.told_reference is not None:
            return self.told_reference
        return f"{int.from_bytes(hashlib.sha256(self.key.encode()).digest()[:8]) % 10**8:08d}"

    def legs(self) -> dict[str, Any]:
        """The legs' figures, as they are kept and told."""
        return {"near": asdict(self.near), "far": asdict(self.far) if self.far is not None else None}

    def to_json(self) -> bytes:
        """For the spool."""
        return _INTAKE.dump_json(self)

    @classmethod
    def from_json(cls, text: bytes) -> TraceIntake:
        """Return what `to_json` wrote. Raises UnreadableReport."""
        try:
            return _INTAKE.validate_json(text)
        except ValidationError as error:
            first = error.errors(include_input=False)[0]
            field = ".".join(str(part) for part in first["loc"])
            raise UnreadableReport(field=field or None, problem=first["msg"]) from error


_INTAKE = TypeAdapter(TraceIntake)

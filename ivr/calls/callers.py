"""Identifies callers by their phone or number, also by a number that they asked to keep private."""

from __future__ import annotations

from ivr.calls.log import CallLog
from ivr.desk.load import Desks
from ivr.desk.schema import Desk
from ivr.directory.lookup import Directory
from ivr.directory.model import Identity
from ivr.numbers.normalise import normalise
from ivr.process.asides import Asides


class Callers:
    """Knows the callers of a line, as its directory does."""

    def __init__(self, calls: CallLog, directory: Directory, desks: Desks, aside: Asides) -> None:
        self._calls, self._directory, self._desks, self._aside = calls, directory, desks, aside

    def identify(self, call_id: str | None, number: str | None, endpoint: str | None, desk: Desk) -> Identity:
        """Identify whoever calls a desk; the private number of a call is used where no other is known."""
        call = self._calls.current(call_id) if call_id is not None else None
        private = call.private_number if call is not None else None
        return self._directory.identify(number or private, endpoint, desk.provider)

    def identify_raw(self, said: str, endpoint: str | None, desk: str) -> tuple[str | None, Identity]:
        """Normalise the number that the network said, and identify its caller; an unknown desk counts as the first."""
        called = self._desks.get(desk) or self._desks.main
        number = normalise(said, called.region)
        return number, self._directory.identify(number, endpoint, called.provider)

    def remember_language(self, desk: Desk, call_id: str, language: str) -> None:
        """Have the caller's next call begin in this language (OV-4); a phone has its owner's."""
        call = self._calls.current(call_id)
        if call is None or call.ani is None or call.endpoint is not None:
            return
        known = self._directory.identify(call.ani, None, desk.provider).language
        if known != language and not (known is None and language == desk.languages[0]):
            self._aside(self._directory.remember_language(call.ani, language), f"language of call {call_id}")

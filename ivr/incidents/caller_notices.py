"""What callers hear of announcements and incidents before they are put in a queue (OV-10, OV-27)."""

from __future__ import annotations

from ivr.announcements.announcer import Announcer
from ivr.calls.callers import Callers
from ivr.calls.log import CallLog
from ivr.desk import menu
from ivr.desk.schema import Desk
from ivr.directory.model import Identity
from ivr.incidents.service import Incidents
from ivr.process.asides import Asides


class CallerNotices:
    """Decides it for each call. `texts` tells whether text messages can be sent."""

    def __init__(
        self,
        *,
        announcer: Announcer,
        incidents: Incidents,
        calls: CallLog,
        callers: Callers,
        aside: Asides,
        texts: bool,
    ) -> None:
        self._announcer, self._incidents, self._texts = announcer, incidents, texts
        self._calls, self._callers, self._aside = calls, callers, aside

    def announced(self, desk: Desk, call_id: str) -> menu.Announced | None:
        """Return what a caller is told before a queue (OV-10, OV-27); None when all is well."""
        one, call = self._announcer.in_force(desk.id), self._calls.current(call_id)
        if one is None:
            return None
        caller = (call.endpoint or call.ani) if call is not None else None
        briefly = one.brief_sounds is not None and self._announcer.hearings.heard(one.id, caller)
        told = [menu.ANNOUNCEMENT_BRIEF if briefly else menu.ANNOUNCEMENT]
        if call is not None:
            who = self._callers.identify(call.id, call.ani, call.endpoint, desk)
            touched = self._incidents.tells(desk.id, who, call.ani)
            told += {"yours": [menu.YOURS], "others": [menu.OTHERS], None: []}[touched]
        return menu.Announced(prompts=tuple(told), follow=self.may_follow(desk.id, call_id))

    def heard(self, desk: Desk, call_id: str) -> None:
        """Remember that a caller has heard the announcement to its end."""
        one, call = self._announcer.in_force(desk.id), self._calls.current(call_id)
        caller = (call.endpoint or call.ani) if call is not None else None
        if one is not None and one.brief_sounds is not None and caller is not None:
            self._aside(self._announcer.hearings.keep(one.id, caller), f"announcement {one.id} heard")

    def may_follow(self, desk: str, call_id: str) -> bool:
        """Tell whether text messages at the next stages are offered to a caller, who has not asked for them yet."""
        if not self._texts:
            return False
        followers = self._incidents.followers
        open_ones, call = self._incidents.followable(desk), self._calls.current(call_id)
        if not open_ones or call is None or followers.of_call(call_id) in open_ones:
            return False
        if (call.endpoint is not None or call.ani is None) and not followers.asks_owners:
            # Whatever number they named, its owner could not be asked.
            return False
        return not followers.follows(open_ones, call.ani)

    def incident_of(self, desk: str, call_id: str | None, identity: Identity, number: str | None) -> int | None:
        """Return the incident that a caller's ticket is about (OV-27)."""
        asked = None
        if call_id is not None:
            asked = self._incidents.followers.of_call(call_id)
        return asked or self._incidents.about(desk, identity, number)

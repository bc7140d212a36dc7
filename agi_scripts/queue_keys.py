"""A key was pressed in the queue: another language, being called back while the place is kept (OV-9), or text messages.

Whatever happens here, the caller keeps their place: it is held by a channel of its own before a word is said, and
the dialplan returns there by itself should the service be gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import structlog

from agi_scripts.context import LineContext, caller_number, endpoint_of, settled
from agi_scripts.incident_sms import follow
from agi_scripts.number import AskedNumber
from agi_scripts.speaking import ask
from ivr.asterisk.ami import AmiRefused
from ivr.asterisk.contract import DONE, NextStep, Variable
from ivr.asterisk.fastagi import AgiSession, CallHungUp
from ivr.callbacks.channels import new_id
from ivr.callbacks.model import Callback, deadline_of, is_today
from ivr.desk import menu
from ivr.desk.schema import CALLBACK_KEY, FOLLOW_KEY, CallbackRules, Desk
from ivr.errors import Unavailable
from ivr.numbers.diallable import Refused, diallable

log = structlog.get_logger()


@dataclass(kw_only=True)
class _Waiting:
    """One caller with one key pressed."""

    session: AgiSession
    context: LineContext
    desk: Desk
    department: str
    queue: str
    call_id: str
    language: str
    arrived_at: datetime

    @property
    def uniqueid(self) -> str:
        return self.session.env.get("uniqueid", "")

    async def say(self, *prompts: str, wait_s: float = 0.0) -> str | None:
        """Say prompts; the key pressed. The language key is dealt with here."""
        while True:
            said = tuple(menu.Prompt(id=prompt) for prompt in prompts)
            step = menu.Ask(prompts=said, language=self.language, wait_s=wait_s)
            key = await ask(self.session, self.context, self.desk, step, self.call_id)
            if key is None or key not in self.desk.menu.languages:
                return key
            self.turn_language(key)

    def turn_language(self, key: str) -> None:
        """To the key's language, or from it back to the desk's first."""
        other = self.desk.menu.languages[key]
        self.language = self.desk.languages[0] if self.language == other else other
        self.context.line.calls.route(self.call_id, department=self.department, language=self.language)

    @property
    def position(self) -> int:
        """The caller's place in the queue, by the moment they first stood there."""
        return self.context.line.watch.places(self.queue).position_for(self.arrived_at, besides=self.uniqueid)

    async def back(self) -> None:
        """The very last: return to the place."""
        # A clock that was set back must not make it less than nothing.
        waited_s = max(0.0, (self.context.line.clock() - self.arrived_at).total_seconds())
        step = NextStep(
            kind="queue",
            language=self.language,
            department=self.department,
            target=self.queue,
            seconds=int(max(30, self.desk.queues[self.queue].max_wait_s - waited_s)),
            call_id=self.call_id,
            position=self.position,
        )
        await self.session.set_variable(Variable.NEXT, step.text())


async def waiting(session: AgiSession, context: LineContext) -> None:
    """Arguments: desk, department, language, queue, call's id, key.

    Whom the dialplan took to the queue while this service was away has no id there; their call is known all the same.
    """
    desk_id, department, language, queue, call_id, key = session.args
    call_id = call_id or context.line.calls.id_of(session.env.get("uniqueid", "")) or ""
    desk = context.desks[desk_id]
    now = context.line.clock()
    caller = _Waiting(
        session=session,
        context=context,
        desk=desk,
        department=department,
        queue=queue,
        call_id=call_id,
        language=language,
        arrived_at=context.line.watch.arrived_at(session.env.get("uniqueid", "")) or now,
    )
    context.line.calls.note(call_id, "pressed", now, key=key, place="queue")
    try:
        if key in desk.menu.languages:
            caller.turn_language(key)
            await session.set_variable(Variable.LANGUAGE, caller.language)
            return await caller.back()
        if key == FOLLOW_KEY and context.line.caller_notices.may_follow(desk_id, call_id):
            # For the dialplan, should this service be gone before the end.
            await session.set_variable(Variable.POSITION, str(caller.position))
            await follow(session, context, desk, caller.language, call_id)
            await caller.say("callback-back")
            return await caller.back()
        rules = context.line.keeper.rules(queue)
        if key != CALLBACK_KEY or rules is None or call_id not in context.line.offers:
            return await caller.back()
        await _Asking(caller=caller, rules=rules, callback=new_id()).run()
    except CallHungUp:
        context.line.calls.end(call_id, context.line.clock(), result="abandoned", reason="hung up in the queue")
    except Exception:
        log.exception(
            "queue key conversation failed; the dialplan returns the caller to their place", event_id="OV1102"
        )


@dataclass(kw_only=True)
class _Asking:
    """From the press of 1 to a request, or back to the place."""

    caller: _Waiting
    rules: CallbackRules
    callback: str
    #: The phone itself, when it is what will be dialled.
    own_phone: str | None = None

    def __post_init__(self) -> None:
        caller = self.caller
        #: What will be dialled if nothing more is said.
        self.asked = AskedNumber(
            session=caller.session,
            context=caller.context,
            desk=caller.desk,
            words="callback",
            say=caller.say,
            language=lambda: caller.language,
            allowed=self._allowed,
        )

    @property
    def number(self) -> str | None:
        """Return what will be dialled, as things stand."""
        return self.asked.number

    @property
    def endpoint(self) -> str | None:
        """The registered phone that will be rung, as things stand."""
        if self.asked.entered:
            return None
        return self.own_phone

    async def run(self) -> None:
        caller, context = self.caller, self.caller.context
        self._from_the_call()
        try:
            await context.line.keeper.hold(
                self.callback,
                desk=caller.desk.id,
                queue=caller.queue,
                language=caller.language,
                number=self.number or "0",
                at=caller.arrived_at,
                instead_of=caller.uniqueid,
            )
        except (Unavailable, AmiRefused) as error:
            log.warning("queue place not held for a callback; caller stays in the queue", error=str(error))
            return await caller.back()
        position = caller.position
        context.line.calls.note(
            caller.call_id, "place-held", context.line.clock(), callback=self.callback, position=position
        )
        # Whether the place is somebody's who is not here: a callback's, or the caller's on the way back to it.
        settled = False
        declined = False
        try:
            # For the dialplan, should this service be gone before the end.
            await caller.session.set_variable(Variable.POSITION, str(position))
            settled = await self.asked.agree() and await self._accept()
            if not settled:
                declined = True
                await caller.say("callback-back")
                context.line.calls.note(caller.call_id, "callback-declined", context.line.clock())
                context.line.keeper.taken_by(self.callback, caller.uniqueid)
                settled = True
                await caller.back()
        except CallHungUp:
            # Who pressed 1 and hangs up while their number is read to them wants to be called back.
            if not declined and self.number is not None:
                kept = await self._keep()
                settled = isinstance(kept, Callback) and kept.id == self.callback
            raise
        finally:
            if not settled:
                await context.line.keeper.withdraw(self.callback)

    def _from_the_call(self) -> None:
        """The phone itself, or the caller's number when it may be called."""
        session, desk = self.caller.session, self.caller.desk
        number, endpoint = caller_number(session, desk), endpoint_of(session)
        if endpoint is not None:
            self.asked.number, self.own_phone = number or endpoint, endpoint
        elif number is not None:
            self.asked.number = self._allowed(number)

    def _allowed(self, number: str) -> str | None:
        context = self.caller.context
        if not context.line.keeper.trunk:
            return None
        own = {dialled for desk in context.desks.values() for dialled in desk.dialled}
        found = diallable(number, region=self.caller.desk.region, allowed=self.rules.regions, own=own)
        if isinstance(found, Refused):
            context.line.calls.note(self.caller.call_id, "number-refused", context.line.clock(), reason=found.reason)
            return None
        return found

    async def _accept(self) -> bool:
        """Commit, then confirm; False when it could not be taken, which the caller has been told."""
        caller, context = self.caller, self.caller.context
        kept = await self._keep()
        if kept is None:
            await caller.say("callback-not-now")
            return False
        if isinstance(kept, str):
            await caller.say("callback-limit")
            return False
        if kept.id != self.callback:
            await context.line.keeper.withdraw(self.callback)
        wait_s = context.line.watch.wait_s(caller.queue, context.line.keeper.position(kept))
        calendar = context.calendars[caller.desk.id][caller.department]
        today = is_today(calendar, context.line.clock(), wait_s)
        context.line.calls.end(caller.call_id, context.line.clock(), result="callback", reason=f"callback {kept.id}")
        # A crash within the next second must not make this call one that was given up.
        context.line.aside(context.line.calls.flush(), f"end of call {caller.call_id}")
        try:
            await settled(caller.session, caller.desk, caller.language)
            await caller.say("callback-accepted" if today else "callback-accepted-later")
            await caller.say("goodbye")
            await caller.session.set_variable(Variable.NEXT, DONE)
        except CallHungUp:
            pass
        return True

    async def _keep(self) -> Callback | str | None:
        """Make it durable; the limit reached, or None while the database is away."""
        caller, context = self.caller, self.caller.context
        now = context.line.clock()
        call = context.line.calls.current(caller.call_id)
        number, endpoint = caller_number(caller.session, caller.desk), endpoint_of(caller.session)
        identity = context.line.callers.identify(caller.call_id, number, endpoint, caller.desk)
        one = Callback(
            id=self.callback,
            desk=caller.desk.id,
            department=caller.department,
            queue=caller.queue,
            language=caller.language,
            number=self.number or "",
            endpoint=self.endpoint,
            call_id=caller.call_id,
            customer_id=identity.customer.id if identity.customer is not None else None,
            identity=dict(call.identity) if call is not None else {},
            mode=self.rules.mode,
            state="pending",
            arrived_at=caller.arrived_at,
            requested_at=now,
            not_before=now,
            deadline=deadline_of(self.rules, context.calendars[caller.desk.id][caller.department], now),
        )
        try:
            kept = await context.line.keeper.accept(one, self.rules)
        except Unavailable as error:
            log.warning("callback refused: database unavailable", error=str(error))
            return None
        what = {"limit": kept} if isinstance(kept, str) else {"callback": kept.id}
        context.line.calls.note(caller.call_id, "callback-requested", now, **what)
        return kept

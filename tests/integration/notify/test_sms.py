"""Text messages leave once, whatever Twilio does."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import aiohttp
import pytest

from ivr.events import EventBus
from ivr.notify import admin
from ivr.notify import store as statements
from ivr.notify.config import Twilio
from ivr.notify.sms import SmsSender
from ivr.notify.worker import Worker
from ivr.store.engine import Store
from tests.integration.notify.conftest import Now, Outbox, TwilioDouble, free_port

TO = "14185550101"
PUBLIC = "https://line.example"


class Sending:
    """A worker and the means to make another."""

    def __init__(self, store: Store, now: Now, bus: EventBus, session: aiohttp.ClientSession) -> None:
        self.store, self.now, self.bus, self.session = store, now, bus, session

    def worker(self, config: Twilio, *, send_s: float = 20.0) -> Worker:
        sender = SmsSender(config, self.session, self.store, clock=self.now, public_url=PUBLIC)
        return Worker(self.store, sender, look=sender.look, clock=self.now, bus=self.bus, send_s=send_s)


@pytest.fixture
def sending(store: Store, now: Now, bus: EventBus, session: aiohttp.ClientSession) -> Sending:
    return Sending(store, now, bus, session)


async def test_it_leaves_from_our_sender_and_is_known_by_its_sid(
    sending: Sending, outbox: Outbox, twilio: TwilioDouble
) -> None:
    await outbox.sms(TO, body="Panne réglée.")
    await sending.worker(twilio.config).once()
    (message,) = twilio.messages
    assert (message["to"], message["from"], message["body"]) == ("+14185550101", "332211", "Panne réglée.")
    row = await outbox.only()
    assert (row.state, row.provider_id, row.provider_status) == ("sent", message["sid"], "queued")
    assert message["callback"] == f"{PUBLIC}/v1/twilio/status?notice={row.key}"


async def test_it_has_no_sign_that_halves_what_a_message_holds(
    sending: Sending, outbox: Outbox, twilio: TwilioDouble
) -> None:
    await outbox.sms(TO, body="Panne\u00a0: à 10\u202fh.")
    await sending.worker(twilio.config).once()
    assert [message["body"] for message in twilio.messages] == ["Panne : à 10 h."]


class TestItMayHaveLeft:
    @pytest.mark.parametrize("answer", ["accept-500", "accept-drop", "accept-garbage"])
    async def test_taken_and_never_said_it_is_found_and_not_sent_again(
        self, sending: Sending, outbox: Outbox, twilio: TwilioDouble, answer: str
    ) -> None:
        twilio.answers.append(answer)
        await outbox.sms()
        worker = sending.worker(twilio.config)
        await worker.once()
        row = await outbox.only()
        assert row.state == "unknown"
        assert row.unknown_since is not None
        sending.now.later(20)
        await worker.once()
        row = await outbox.only()
        assert (row.state, row.provider_id) == ("sent", twilio.messages[0]["sid"])
        sending.now.later(3600)
        await worker.once()
        assert twilio.asked == ["send", "list"]

    async def test_taken_and_timed_out(self, sending: Sending, outbox: Outbox, twilio: TwilioDouble) -> None:
        twilio.answers.append("accept-hang")
        await outbox.sms()
        await sending.worker(twilio.config, send_s=0.5).once()
        assert (await outbox.only()).state == "unknown"
        sending.now.later(20)
        await sending.worker(twilio.config).once()
        assert (await outbox.only()).state == "sent"
        assert len(twilio.messages) == 1

    @pytest.mark.parametrize("answer", [500, "drop"])
    async def test_not_taken_it_is_sent_again_once_that_is_certain(
        self, sending: Sending, outbox: Outbox, twilio: TwilioDouble, answer: int | str
    ) -> None:
        twilio.answers.append(answer)
        await outbox.sms()
        worker = sending.worker(twilio.config)
        await worker.once()
        for _ in range(5):
            sending.now.later(20)
            await worker.once()
        assert (await outbox.only()).state == "unknown"
        assert twilio.asked == ["send", *["list"] * 5]
        sending.now.later(25)
        await worker.once()
        assert (await outbox.only()).state == "pending"
        await worker.once()
        row = await outbox.only()
        assert (row.state, row.attempts) == ("sent", 2)
        assert len(twilio.messages) == 1

    async def test_it_is_not_taken_for_another_of_ours(
        self, sending: Sending, outbox: Outbox, twilio: TwilioDouble
    ) -> None:
        await outbox.sms(body="Même texte")
        worker = sending.worker(twilio.config)
        await worker.once()
        twilio.answers.append("drop")
        await outbox.sms(body="Même texte")
        await worker.once()
        first, second = await outbox.rows()
        assert (first.state, second.state) == ("sent", "unknown")
        sending.now.later(130)
        await worker.once()
        await worker.once()
        assert [row.state for row in await outbox.rows()] == ["sent", "sent"]
        assert len(twilio.messages) == 2

    async def test_two_alike_are_each_found(self, sending: Sending, outbox: Outbox, twilio: TwilioDouble) -> None:
        twilio.answers.extend(["accept-drop", "accept-drop"])
        for _ in range(2):
            await outbox.sms(body="Même texte")
        worker = sending.worker(twilio.config)
        await worker.once()
        for _ in range(4):
            sending.now.later(35)
            await worker.once()
        rows = await outbox.rows()
        assert {row.state for row in rows} == {"sent"}
        assert {row.provider_id for row in rows} == {message["sid"] for message in twilio.messages}
        assert len(twilio.messages) == 2

    async def test_the_first_lost_and_the_second_taken_the_callback_tells_whose_it_is(
        self, sending: Sending, outbox: Outbox, twilio: TwilioDouble, store: Store
    ) -> None:
        """Two rows with one text to one number: a look gives the second's name to the first; Twilio knows better."""
        twilio.answers.extend(["drop", "accept-drop"])
        for _ in range(2):
            await outbox.sms(body="Même texte")
        worker = sending.worker(twilio.config)
        await worker.once()
        [message] = twilio.messages
        key = message["callback"].rpartition("=")[2]
        theirs = next(row for row in await outbox.rows() if row.key == key)
        async with store.unit() as unit:
            lost = next(row for row in await outbox.rows() if row.key != key)
            await statements.change(unit, lost.id, {"state": "sent", "provider_id": message["sid"]})
        for _ in range(2):
            async with store.unit() as unit:
                await admin.twilio_told(
                    unit,
                    key=key,
                    sid=message["sid"],
                    status="delivered",
                    error_code=None,
                    at=sending.now(),
                    bus=sending.bus,
                )
        rows = {row.id: row for row in await outbox.rows()}
        assert (rows[theirs.id].state, rows[theirs.id].provider_id) == ("delivered", message["sid"])
        assert (rows[lost.id].state, rows[lost.id].provider_id) == ("unknown", None)
        # The one that was lost leaves after all, once it is certain that it did not.
        for _ in range(5):
            sending.now.later(65)
            await worker.once()
        assert sorted(row.state for row in await outbox.rows()) == ["delivered", "sent"]
        assert len(twilio.messages) == 2

    async def test_a_look_takes_nothing_while_another_like_it_is_leaving(
        self, sending: Sending, outbox: Outbox, twilio: TwilioDouble, store: Store
    ) -> None:
        twilio.answers.append("drop")
        await outbox.sms(body="Même texte")
        worker = sending.worker(twilio.config)
        await worker.once()
        await outbox.sms(body="Même texte")
        first, second = await outbox.rows()
        async with store.unit() as unit:
            [(_, lease)] = await statements.claim(
                unit, "sms", now=sending.now(), until=sending.now() + timedelta(hours=1), limit=1
            )
            hour = sending.now() + timedelta(hours=1)
            assert await statements.begin(unit, second.id, lease, now=sending.now(), until=hour)
        # Twilio has it, and its answer to us is still under way.
        sid = twilio.put("+14185550101", "Même texte")["sid"]
        sending.now.later(20)
        await worker.once()
        assert (await outbox.rows())[0].state == "unknown"
        async with store.unit() as unit:
            await statements.claim_provider_id(unit, second.id, sid, sure=True, now=sending.now())
            await statements.change(unit, second.id, {"state": "sent", "provider_id": sid})
            assert not await statements.claim_provider_id(unit, first.id, sid, sure=False, now=sending.now())

    async def test_what_is_older_or_to_others_or_of_other_text_is_not_it(
        self, sending: Sending, outbox: Outbox, twilio: TwilioDouble
    ) -> None:
        twilio.put("+14185550101", "Texte", age_s=600)
        twilio.put("+14185550102", "Texte")
        twilio.put("+14185550101", "Autre")
        twilio.put("+14185550101", "Texte", sender="999999")
        twilio.answers.append("drop")
        await outbox.sms(TO, body="Texte")
        worker = sending.worker(twilio.config)
        await worker.once()
        sending.now.later(130)
        await worker.once()
        assert (await outbox.only()).state == "pending"

    async def test_it_is_found_behind_many_others_and_with_plainer_signs(
        self, sending: Sending, outbox: Outbox, twilio: TwilioDouble
    ) -> None:
        twilio.answers.append("accept-drop")
        await outbox.sms(TO, body="C’est réglé…\u00a0« ici »")
        worker = sending.worker(twilio.config)
        await worker.once()
        twilio.messages[0]["body"] = 'Sent from your Twilio trial account - C\'est réglé... " ici "'
        for number in range(120):
            twilio.put("+14185550101", f"Autre {number}")
        sending.now.later(20)
        await worker.once()
        assert (await outbox.only()).provider_id == twilio.messages[0]["sid"]

    async def test_found_and_undelivered_is_dead(self, sending: Sending, outbox: Outbox, twilio: TwilioDouble) -> None:
        twilio.answers.append("accept-drop")
        await outbox.sms()
        worker = sending.worker(twilio.config)
        await worker.once()
        twilio.messages[0]["status"] = "undelivered"
        sending.now.later(20)
        await worker.once()
        assert (await outbox.only()).state == "dead"

    async def test_a_list_that_is_not_to_be_had_proves_nothing(
        self, sending: Sending, outbox: Outbox, twilio: TwilioDouble
    ) -> None:
        twilio.answers.append("drop")
        twilio.list_answers.extend([500] * 6)
        await outbox.sms()
        worker = sending.worker(twilio.config)
        await worker.once()
        for _ in range(6):
            sending.now.later(60)
            await worker.once()
        assert (await outbox.only()).state == "unknown"
        assert twilio.asked.count("send") == 1
        sending.now.later(4 * 3600)
        twilio.list_answers.append(500)
        await worker.once()
        row = await outbox.only()
        assert row.state == "dead"
        assert row.error is not None
        assert row.error.startswith("it could not be found out whether it left")


class TestItCertainlyDidNotLeave:
    async def test_429_is_waited_out_as_it_says(self, sending: Sending, outbox: Outbox, twilio: TwilioDouble) -> None:
        twilio.answers.append(429)
        await outbox.sms()
        worker = sending.worker(twilio.config)
        await worker.once()
        assert (await outbox.only()).state == "pending"
        sending.now.later(80)
        assert await worker.once() == 0
        sending.now.later(11)
        await worker.once()
        assert (await outbox.only()).state == "sent"
        assert twilio.asked == ["send", "send"]

    async def test_not_reached(self, sending: Sending, outbox: Outbox, twilio: TwilioDouble) -> None:
        await outbox.sms()
        away = replace(twilio.config, api=f"http://127.0.0.1:{free_port()}")
        await sending.worker(away).once()
        row = await outbox.only()
        assert row.state == "pending"
        assert row.error is not None
        assert "not reached" in row.error

    async def test_a_wrong_token_is_no_fault_of_the_message(
        self, sending: Sending, outbox: Outbox, twilio: TwilioDouble
    ) -> None:
        twilio.answers.append(401)
        await outbox.sms()
        await sending.worker(twilio.config).once()
        row = await outbox.only()
        assert row.state == "pending"
        assert "20003" in str(row.error)
        assert "not-a-secret" not in str(row.error)

    @pytest.mark.parametrize("code", [21211, 21614, 21617])
    async def test_a_number_that_takes_none_is_dead(
        self, sending: Sending, outbox: Outbox, twilio: TwilioDouble, code: int
    ) -> None:
        twilio.answers.append(code)
        await outbox.sms()
        await sending.worker(twilio.config).once()
        row = await outbox.only()
        assert row.state == "dead"
        assert str(code) in str(row.error)

    @pytest.mark.parametrize(("to", "body"), [("611", "x"), ("+14185550101", "x"), ("anonymous", "x"), (TO, " ")])
    async def test_what_is_no_message_never_reaches_twilio(
        self, sending: Sending, outbox: Outbox, twilio: TwilioDouble, to: str, body: str
    ) -> None:
        await outbox.sms(to, body=body)
        await sending.worker(twilio.config).once()
        assert (await outbox.only()).state == "dead"
        assert twilio.asked == []


async def test_who_answered_stop_gets_no_more_and_ops_see_it(
    sending: Sending, outbox: Outbox, twilio: TwilioDouble, store: Store
) -> None:
    twilio.answers.append(21610)
    await outbox.sms(TO, body="Un")
    worker = sending.worker(twilio.config)
    await worker.once()
    await outbox.sms(TO, body="Deux")
    await outbox.sms("14185550102", body="Trois")
    await worker.once()
    assert [row.state for row in await outbox.rows()] == ["refused", "refused", "sent"]
    assert twilio.asked == ["send", "send"]
    async with store.reading() as unit:
        assert [one["number"] for one in await statements.opt_outs(unit)] == [TO]
    with sending.bus.listen(after=0) as listener:
        assert (await anext(listener)).kind == "notice.refused"


async def test_a_worker_that_lost_its_lease_sends_nothing(
    sending: Sending, outbox: Outbox, twilio: TwilioDouble, store: Store
) -> None:
    await outbox.sms()
    async with store.unit() as unit:
        now = sending.now()
        ((notice, lease),) = await statements.claim(unit, "sms", now=now, until=now, limit=1)
    slow, other = sending.worker(twilio.config), sending.worker(twilio.config)
    sending.now.later(1)
    await other.once()
    await other.once()
    await slow._work(notice, lease)
    assert twilio.asked == ["send"]
    assert (await outbox.only()).state == "sent"


async def test_many_workers_send_each_message_once(sending: Sending, outbox: Outbox, twilio: TwilioDouble) -> None:
    for number in range(12):
        await outbox.sms(f"1418555{number:04d}")
    workers = [sending.worker(twilio.config) for _ in range(3)]
    for _ in range(3):
        await asyncio.gather(*(worker.once() for worker in workers))
    assert len(twilio.messages) == 12
    assert len({message["to"] for message in twilio.messages}) == 12

"""E-mails reach a real SMTP server, at least once and under one name."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP

from ivr.events import EventBus
from ivr.notify.config import Security, Smtp
from ivr.notify.smtp import SmtpSender
from ivr.notify.worker import Worker
from ivr.store.engine import Store
from tests.integration.notify.conftest import MailServer, Now, Outbox, free_port


async def nothing(_: int, __: str) -> None:
    return None


def worker(store: Store, now: Now, bus: EventBus, config: Smtp, **more: float) -> Worker:
    sender = SmtpSender(config, replies=True, answered=nothing)
    return Worker(store, sender, clock=now, bus=bus, **more)  # type: ignore[arg-type]


async def test_it_arrives_once_and_stays_sent(
    store: Store, now: Now, bus: EventBus, outbox: Outbox, mail_server: MailServer
) -> None:
    await outbox.email(subject="Billet 100001 : reçu", body="Bonjour « Julie ».")
    sending = worker(store, now, bus, mail_server.config)
    assert await sending.once() == 1
    assert await sending.once() == 0
    (arrived,) = mail_server.arrived
    assert arrived["Subject"] == "Billet 100001 : reçu"
    assert arrived["From"] == "OMNIVIGIL <support@omnivigil.example>"
    row = await outbox.only()
    assert (row.state, row.attempts, row.error) == ("sent", 1, None)
    assert row.sent_at is not None
    with bus.listen(after=0) as listener:
        assert (await anext(listener)).kind == "notice.sent"


async def test_recipients_do_not_see_each_other(
    store: Store, now: Now, bus: EventBus, outbox: Outbox, mail_server: MailServer
) -> None:
    await outbox.email("julie@a.example, Marc <marc@b.example>")
    await worker(store, now, bus, mail_server.config).once()
    assert sorted(str(one["To"]) for one in mail_server.arrived) == ["julie@a.example", "marc@b.example"]
    assert sorted(envelope.rcpt_tos for envelope in mail_server.envelopes) == [["julie@a.example"], ["marc@b.example"]]
    for one in mail_server.arrived:
        assert ("julie" in one.as_string()) != ("marc" in one.as_string())


@pytest.mark.parametrize(
    ("rcpt", "data", "state"),
    [
        (["550 5.1.1 No such user"], [], "dead"),
        (["450 4.2.0 Greylisted"], [], "pending"),
        (["452 4.2.2 Mailbox full"], [], "pending"),
        ([], ["554 5.7.1 Looks like spam"], "dead"),
        ([], ["451 4.3.0 Try later"], "pending"),
        ([], ["552 5.3.4 Too big"], "dead"),
        (["530 5.7.0 Authentication required"], [], "pending"),
    ],
)
async def test_refusals_for_good_are_told_apart(
    store: Store,
    now: Now,
    bus: EventBus,
    outbox: Outbox,
    mail_server: MailServer,
    rcpt: list[str],
    data: list[str],
    state: str,
) -> None:
    mail_server.rcpt.extend(rcpt)
    mail_server.data.extend(data)
    await outbox.email()
    sending = worker(store, now, bus, mail_server.config)
    await sending.once()
    row = await outbox.only()
    assert row.state == state
    assert row.error is not None
    assert (rcpt + data)[0][:3] in row.error
    assert await sending.once() == 0
    now.later(60)
    await sending.once()
    assert len(mail_server.arrived) == (1 if state == "pending" else 0)


async def test_lost_after_the_text_it_goes_again_under_the_same_name(
    store: Store, now: Now, bus: EventBus, outbox: Outbox, mail_server: MailServer
) -> None:
    mail_server.data.append("drop")
    await outbox.email()
    sending = worker(store, now, bus, mail_server.config)
    await sending.once()
    assert (await outbox.only()).state == "pending"
    now.later(60)
    await sending.once()
    first, second = mail_server.arrived
    assert first["Message-ID"] == second["Message-ID"]
    assert (await outbox.only()).state == "sent"


async def test_a_server_that_is_away_is_waited_for_until_it_is_too_late(
    store: Store, now: Now, bus: EventBus, outbox: Outbox, mail_server: MailServer
) -> None:
    away = replace(mail_server.config, port=free_port())
    await outbox.email()
    sending = worker(store, now, bus, away)
    for _ in range(3):
        await sending.once()
        now.later(3600)
    row = await outbox.only()
    assert (row.state, row.attempts) == ("pending", 3)
    now.later(2 * 86400)
    await sending.once()
    row = await outbox.only()
    assert (row.state, row.attempts) == ("dead", 3)
    assert row.error is not None
    assert row.error.startswith("not sent within its time: the mail server is not reached")
    with bus.listen(after=0) as listener:
        assert (await anext(listener)).kind == "notice.dead"


async def test_without_encryption_nothing_is_said_to_a_server_that_should_have_it(
    store: Store, now: Now, bus: EventBus, outbox: Outbox, mail_server: MailServer
) -> None:
    await outbox.email()
    await worker(store, now, bus, replace(mail_server.config, security="starttls")).once()
    assert (await outbox.only()).state == "pending"
    assert mail_server.arrived == []


class TestEncryption:
    """The server has a certificate of its own making, for localhost."""

    @pytest.fixture
    def certificate(self, tmp_path: Path) -> tuple[Path, Path]:
        certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
        words = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2"]
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-out", certificate, "-keyout", key, *words],
            check=True,
            capture_output=True,
        )
        return certificate, key

    @pytest.mark.parametrize("security", ["starttls", "tls"])
    @pytest.mark.parametrize("trusted", [True, False])
    async def test_only_to_a_server_that_is_who_it_says(
        self,
        store: Store,
        now: Now,
        bus: EventBus,
        outbox: Outbox,
        mail_server: MailServer,
        certificate: tuple[Path, Path],
        monkeypatch: pytest.MonkeyPatch,
        security: Security,
        trusted: bool,
    ) -> None:
        if trusted:
            monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        loop = asyncio.get_running_loop()
        wrapped = context if security == "tls" else None
        server = await loop.create_server(
            lambda: SMTP(
                mail_server, tls_context=None if wrapped else context, require_starttls=not wrapped, loop=loop
            ),
            "127.0.0.1",
            0,
            ssl=wrapped,
        )
        port = server.sockets[0].getsockname()[1]
        await outbox.email()
        config = replace(mail_server.config, host="localhost", port=port, security=security)
        await worker(store, now, bus, config).once()
        assert (await outbox.only()).state == ("sent" if trusted else "pending")
        assert len(mail_server.arrived) == trusted
        server.close()


@pytest.mark.parametrize("wrong", ["nobody", "é@", "a b@c.example"])
async def test_what_is_no_address_is_dead_at_once(
    store: Store, now: Now, bus: EventBus, outbox: Outbox, mail_server: MailServer, wrong: str
) -> None:
    await outbox.email(wrong)
    await worker(store, now, bus, mail_server.config).once()
    assert {row.state for row in await outbox.rows()} == {"dead"}


async def test_two_workers_send_each_row_once(
    store: Store, now: Now, bus: EventBus, outbox: Outbox, mail_server: MailServer
) -> None:
    for number in range(20):
        await outbox.email(f"p{number}@a.example")
    both = [worker(store, now, bus, mail_server.config) for _ in range(2)]
    for _ in range(6):
        await asyncio.gather(*(one.once() for one in both))
    assert sorted(str(one["To"]) for one in mail_server.arrived) == sorted(
        f"p{number}@a.example" for number in range(20)
    )
    assert {row.attempts for row in await outbox.rows()} == {1}


async def test_a_server_that_never_answers_is_given_up_and_the_row_goes_on(
    store: Store, now: Now, bus: EventBus, outbox: Outbox
) -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    config = Smtp(
        host="127.0.0.1",
        port=server.sockets[0].getsockname()[1],
        security="none",
        sender="support@omnivigil.example",
        sender_name="OMNIVIGIL",
    )
    await outbox.email()
    await worker(store, now, bus, config, send_s=0.3).once()
    row = await outbox.only()
    assert row.state == "pending"
    assert row.next_at is not None
    assert row.next_at > now()
    server.close()

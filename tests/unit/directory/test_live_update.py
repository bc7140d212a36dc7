"""What changed in the directory is taken to Asterisk: in order, once, and again when it fails."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest

from ivr.asterisk.ami import AmiRefused
from ivr.asterisk.config import note_unread, unread
from ivr.asterisk.queue_members import Member
from ivr.asterisk.reload import ReloadFailed
from ivr.directory.live_update import TakingUp
from ivr.directory.lookup import Directory
from ivr.directory.model import Endpoint, Technician
from ivr.directory.snapshot import Book
from ivr.errors import Unavailable
from ivr.events import EventBus

PHONE = Endpoint(name="7900", kind="technician", language="fr", ha1="a" * 32, caller_id="7900", display="Nadia")


def book(queues: tuple[str, ...] = (), penalties: dict[str, int] | None = None, **phone: Any) -> Book:
    """One phone, 7900, and whose it is when they answer queues."""
    nadia = Technician(id=1, name="Nadia", queues=queues, language="fr", penalties=penalties or {})
    own = replace(PHONE, technician_id=1 if queues else None, **phone)
    return Book(endpoints={own.name: own}, technicians={1: nadia} if queues else {})


def member(queue: str, *, paused: bool = False, penalty: int = 0) -> Member:
    """7900 in a queue."""
    return Member(
        queue=queue,
        endpoint="7900",
        name="Nadia",
        paused=paused,
        paused_reason="*23",
        in_call=False,
        status="idle",
        calls_taken=0,
        last_call=None,
        penalty=penalty,
    )


@dataclass
class FakeAsterisk:
    """Its command line, its queues and its registrar: what it was asked, in order."""

    etc: Path
    members: list[Member] = field(default_factory=list)
    registered: tuple[str, ...] = ()
    answers: bool = True
    refuses: bool = False
    #: The queues of the desk files in force, and those that it does not have yet.
    queues: tuple[str, ...] = ("support", "sales", "ventes")
    lacks: tuple[str, ...] = ()
    asked: list[str] = field(default_factory=list)
    rendered: int = 0
    #: Set by the first question without an answer, and by the first look at who is logged in.
    silent: asyncio.Event = field(default_factory=asyncio.Event)
    looked: asyncio.Event = field(default_factory=asyncio.Event)

    async def cli(self, command: str, *, timeout_s: float = 10.0) -> str:
        self.asked.append(command)
        if not self.answers:
            self.silent.set()
            return ""
        if command == "database show registrar":
            return "".join(f"/registrar/contact/{name};@0a1b: {{}}\n" for name in self.registered)
        return "Dialplan reloaded. reloaded successfully"

    def configure(self, known: Book) -> dict[str, str]:
        """Writes pjsip.conf, when it is another one."""
        self.rendered += 1
        phones = {name: phone.ha1 for name, phone in known.endpoints.items()}
        text = "".join(
            f"username = {name}\nrealm = omnivigil\nmd5_cred = {digest}\n" for name, digest in phones.items()
        )
        path = self.etc / "pjsip.conf"
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            note_unread(self.etc, unread(self.etc) | {"pjsip.conf"})
        return phones

    async def unregister(self, phone: str, digest: str) -> bool:
        self.asked.append(f"REGISTER {phone} {digest[:1]}")
        return not self.refuses

    async def list(self, queue: str | None) -> tuple[Member, ...]:
        self.looked.set()
        return tuple(self.members)

    async def add(self, queue: str, endpoint: str, name: str, penalty: int = 0) -> None:
        if queue in self.lacks:
            raise AmiRefused(action="QueueAdd", said="no such queue")
        self.asked.append(f"add {endpoint} to {queue} at {penalty}")

    async def remove(self, queue: str, endpoint: str) -> None:
        self.asked.append(f"remove {endpoint} from {queue}")

    async def pause(self, queue: str | None, endpoint: str, paused: bool, reason: str) -> None:
        self.asked.append(f"pause {endpoint} in {queue}: {reason}")

    async def penalise(self, queue: str, endpoint: str, penalty: int) -> None:
        self.asked.append(f"{endpoint} at {penalty} in {queue}")


@dataclass
class FakeDirectory:
    """A book that is changed by hand."""

    book: Book
    seq: int | None = 1


@pytest.fixture
def asterisk(tmp_path: Path) -> FakeAsterisk:
    """Before its first configuration."""
    return FakeAsterisk(tmp_path)


def taking_up(directory: FakeDirectory, asterisk: FakeAsterisk) -> TakingUp:
    """Of both."""
    return TakingUp(
        cast(Directory, directory),
        configure=asterisk.configure,
        etc=asterisk.etc,
        cli=asterisk.cli,
        unregister=asterisk.unregister,
        members=asterisk,
        queues=lambda: asterisk.queues,
        bus=EventBus(),
    )


async def test_only_what_changed_is_read_again(asterisk: FakeAsterisk) -> None:
    """And of a book that is the same, not even the configuration is rendered."""
    directory = FakeDirectory(book())
    taking = taking_up(directory, asterisk)
    await taking.once()
    assert asterisk.asked == ["module reload res_pjsip.so"]
    await taking.once()
    directory.book = replace(directory.book)
    await taking.once()
    assert asterisk.rendered == 2
    assert asterisk.asked == ["module reload res_pjsip.so"]


async def test_a_phone_with_another_secret_is_unregistered_after_the_reload(asterisk: FakeAsterisk) -> None:
    """Before it, the old secret would register again. One that is not registered is left alone."""
    asterisk.registered = ("7900",)
    directory = FakeDirectory(book())
    taking = taking_up(directory, asterisk)
    await taking.once()
    asterisk.asked.clear()
    directory.book = book(ha1="b" * 32)
    await taking.once()
    assert asterisk.asked == ["module reload res_pjsip.so", "database show registrar", "REGISTER 7900 b"]
    asterisk.registered = ()
    asterisk.asked.clear()
    directory.book = book(ha1="c" * 32)
    await taking.once()
    assert asterisk.asked == ["module reload res_pjsip.so", "database show registrar"]


async def test_what_is_kept_of_a_phone_that_is_gone_is_forgotten(asterisk: FakeAsterisk) -> None:
    """Whoever gets its name next has calls of their own."""
    asterisk.registered = ("7900", "79001")
    directory = FakeDirectory(book())
    taking = taking_up(directory, asterisk)
    await taking.once()
    asterisk.asked.clear()
    directory.book = Book()
    await taking.once()
    assert asterisk.asked[2:] == ['database del registrar/contact "7900;@0a1b"']


async def test_a_reload_that_failed_comes_again_for_another_life_too(asterisk: FakeAsterisk) -> None:
    """The files were written, so that nothing differs any more; that they are unread is on the disk."""
    asterisk.answers = False
    with pytest.raises(ReloadFailed):
        await taking_up(FakeDirectory(book()), asterisk).once()
    asterisk.answers = True
    asterisk.asked.clear()
    await taking_up(FakeDirectory(book()), asterisk).once()
    assert asterisk.asked == ["module reload res_pjsip.so"]
    assert unread(asterisk.etc) == frozenset()


async def test_a_failure_is_told_until_it_is_over(asterisk: FakeAsterisk, monkeypatch: pytest.MonkeyPatch) -> None:
    """And tried again by itself."""
    monkeypatch.setattr("ivr.directory.live_update._AGAIN_S", 0.01)
    monkeypatch.setattr("ivr.directory.live_update._BETWEEN_S", 0.0)
    asterisk.answers = False
    taking = taking_up(FakeDirectory(book()), asterisk)
    taking.again()
    running = asyncio.create_task(taking.to_asterisk())
    async with asyncio.timeout(20):
        await asterisk.silent.wait()
        assert taking.problem == "ReloadFailed, tried again"
        asterisk.answers = True
        await asterisk.looked.wait()
    for _ in range(5):
        await asyncio.sleep(0)
    running.cancel()
    assert taking.problem == ""


async def test_without_a_book_nothing_is_taken_away(asterisk: FakeAsterisk) -> None:
    """The database was away at the start: Asterisk goes on with what it has."""
    taking = taking_up(FakeDirectory(Book(), seq=None), asterisk)
    taking.again()
    running = asyncio.create_task(taking.to_asterisk())
    for _ in range(20):
        await asyncio.sleep(0)
    running.cancel()
    assert asterisk.rendered == 0


async def test_queues_change_for_who_is_logged_in(asterisk: FakeAsterisk) -> None:
    """New ones with their break, if they have one; a queue that no desk has is passed over."""
    directory = FakeDirectory(book(("support", "sales")))
    taking = taking_up(directory, asterisk)
    asterisk.members = [member("support", paused=True), member("sales", paused=True)]
    await taking.once()
    assert not any("7900" in one for one in asterisk.asked)
    directory.book = book(("unknown", "support", "ventes"), {"support": 3, "ventes": 1})
    await taking.once()
    assert asterisk.asked[-4:] == [
        "7900 at 3 in support",
        "add 7900 to ventes at 1",
        "pause 7900 in ventes: *23",
        "remove 7900 from sales",
    ]


async def test_a_queue_that_a_reload_of_desk_files_brings_is_joined_by_who_is_logged_in(
    asterisk: FakeAsterisk,
) -> None:
    """And only that one: who logged out of another stays out of it. What Asterisk lacks is tried again."""
    directory = FakeDirectory(book(("support", "sales", "cloud")))
    taking = taking_up(directory, asterisk)
    asterisk.members = [member("support", paused=True)]
    await taking.once()
    asterisk.queues += ("cloud",)
    asterisk.lacks = ("cloud",)
    taking.again()
    with pytest.raises(AmiRefused):
        await taking.once()
    asterisk.lacks = ()
    await taking.once()
    assert asterisk.asked[-2:] == ["add 7900 to cloud at 0", "pause 7900 in cloud: *23"]
    assert not any("sales" in one for one in asterisk.asked)
    asterisk.asked.clear()
    taking.again()
    await taking.once()
    assert asterisk.asked == []


async def test_a_phone_that_somebody_else_has_now_is_logged_out(asterisk: FakeAsterisk) -> None:
    """Nobody is on duty who did not log in; so with a number outside whose id is another's."""
    directory = FakeDirectory(book(("support",)))
    taking = taking_up(directory, asterisk)
    asterisk.members = [member("support")]
    await taking.once()
    (nadia,) = directory.book.technicians.values()
    directory.book = replace(directory.book, technicians={1: replace(nadia, key="luc")})
    await taking.once()
    assert asterisk.asked[-1] == "remove 7900 from support"


async def test_who_is_no_technician_any_more_is_logged_out(asterisk: FakeAsterisk) -> None:
    """Also where that changed while the service was down. Who is not logged in is not logged in by it."""
    directory = FakeDirectory(book(("support",)))
    taking = taking_up(directory, asterisk)
    await taking.once()
    assert not any("7900" in one for one in asterisk.asked)
    asterisk.members = [member("support")]
    directory.book = book()
    await taking.once()
    assert asterisk.asked[-1] == "remove 7900 from support"
    asterisk.asked.clear()
    await taking_up(FakeDirectory(Book()), asterisk).once()
    assert asterisk.asked[-1] == "remove 7900 from support"


async def test_a_configuration_of_other_desks_is_read_and_never_without_a_book(asterisk: FakeAsterisk) -> None:
    """What Asterisk knows of phones is more than nothing."""
    directory = FakeDirectory(book())

    def configure(known: Book) -> None:
        assert known is directory.book
        note_unread(asterisk.etc, {"queues.conf"})

    live = taking_up(directory, asterisk)
    directory.seq = None
    with pytest.raises(Unavailable):
        await live.other(configure)
    assert asterisk.asked == []
    directory.seq = 1
    await live.other(configure)
    assert asterisk.asked == ["module reload app_queue.so"]
    assert unread(asterisk.etc) == frozenset()

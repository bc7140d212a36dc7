"""A line for each conversation, made in milliseconds: its database is a copy, its sounds are made once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from ivr import logs
from ivr.desk.load import Desks, load_desks
from ivr.directory.demo import load_demo
from ivr.prompts.catalog import Catalog
from ivr.prompts.engines import CoreSounds, Voices
from ivr.store.engine import Store
from ivr.tickets import messages
from tests.conversations.house import FickleStore, House, PlainSounds, build
from tests.fakes.caller import Caller
from tests.integration.databases import Filling, SqliteFiles
from tests.unit.prompts.voice import HummingVoice, tone, write_wav

#: Who calls in a house, and how the call goes.
Prepare = Callable[[House], Awaitable[Caller]]
Play = Callable[[House, Caller], Awaitable[object]]


async def _unprepared(house: House) -> Caller:
    return house.caller()


@pytest.fixture(autouse=True, scope="session")
def _logs() -> None:
    """As in the service; structlog's own default draws each error with every local variable, which takes seconds."""
    logs.configure()


@pytest.fixture(scope="session")
def desks() -> Desks:
    return load_desks()


@pytest.fixture(scope="session")
def sqlite_files(tmp_path_factory: pytest.TempPathFactory) -> SqliteFiles:
    return SqliteFiles(tmp_path_factory.mktemp("sqlite"))


@pytest.fixture(scope="session")
def sounds_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sounds are named by content, so that all tests can share them."""
    return tmp_path_factory.mktemp("sounds")


@pytest.fixture(scope="session")
def sounds(sounds_folder: Path, desks: Desks) -> PlainSounds:
    """A voice that hums, and Asterisk's digits; each is made when a conversation first asks for it."""
    core = sounds_folder / "core"
    for speaker in CoreSounds.SPEAKERS.values():
        for n, file in enumerate(CoreSounds.FILES.values()):
            write_wav(core / speaker / file, tone(0.2, rate=8000, hertz=500 + 20 * n).samples, 8000)
    return PlainSounds(
        folder=sounds_folder / "sounds",
        cache=sounds_folder / "cache",
        catalog=Catalog(desks),
        voices=Voices([HummingVoice()]),
        core_sounds=core,
        languages=("fr", "en"),
    )


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that is there gets its request, however busy the machine is; and so does a voice."""
    monkeypatch.setattr(messages, "_PATIENCE_S", 30.0)
    monkeypatch.setattr("ivr.prompts.build._CALL_WAITS_S", 30.0)


async def _demo(store: Store) -> None:
    async with store.unit() as unit:
        await load_demo(unit)


class Houses:
    """Makes lines, as many as a test wants, and takes them down."""

    def __init__(self, files: SqliteFiles, folder: Path, desks: Desks, sounds: PlainSounds, shared: Path) -> None:
        self._files, self._folder, self._desks, self._sounds, self._shared = files, folder, desks, sounds, shared
        self._made: list[House] = []

    async def make(self) -> House:
        """One more, which knows nothing of the others."""
        file = self._files.database(Filling(name="demo", fill=_demo))
        store = FickleStore(file.url, patience_s=5.0, connecting_s=60.0)
        folder = self._folder / str(len(self._made))
        folder.mkdir()
        made = await build(store, folder, self._desks, self._sounds, self._shared)
        self._made.append(made)
        return made

    async def close(self) -> None:
        for house in self._made:
            house.store.away = ""
            await house.context.line.traces.close()
            await house.context.line.spool.close()
            await house.context.line.calls.close()
            await house.store.close()

    async def hang_ups(self, play: Play, prepare: Prepare = _unprepared) -> AsyncIterator[tuple[House, Caller]]:
        """The same call again and again: with a hang-up in each of its commands, and right after each but the last.

        Once the last has set a variable, what was to be done is done: that one is left out.

        `prepare` makes who calls; `play` writes their script and holds the conversation.
        """
        house = await self.make()
        whole = await prepare(house)
        await play(house, whole)
        moments = [(number, now) for number in _apart(whole.commands) for now in ("leaves_in", "leaves_after")]
        done = 2 if whole.commands[-1].startswith("SET VARIABLE") else 1
        for number, moment in moments[:-done]:
            house = await self.make()
            caller = await prepare(house)
            setattr(caller, moment, number)
            await play(house, caller)
            yield house, caller


def _apart(commands: Sequence[str]) -> list[int]:
    """The numbers of commands; of a row of digits that are read the first one stands for all."""
    digits = ["/digit-" in command for command in commands]
    return [number for number in range(len(commands)) if not (digits[number] and number and digits[number - 1])]


@pytest.fixture
async def houses(
    sqlite_files: SqliteFiles, tmp_path: Path, desks: Desks, sounds: PlainSounds, sounds_folder: Path
) -> AsyncIterator[Houses]:
    made = Houses(sqlite_files, tmp_path, desks, sounds, sounds_folder)
    yield made
    await made.close()


@pytest.fixture
async def house(houses: Houses) -> House:
    return await houses.make()

"""Backup and restore, on both databases, and what hostile or broken files lead to."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import io
import json
import resource
import shutil
import signal
import sqlite3
import tarfile
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ivr.backup import create, restore
from ivr.backup import database as snapshots
from ivr.backup.archive import BackupFailed, Damaged
from ivr.errors import BadInput
from ivr.migrations.run import SchemaNewer, known_revisions, migrate, revision_of
from ivr.settings import Settings
from ivr.store.engine import Store, open_store
from tests.integration.databases import Database, Filling, PostgresServer
from tests.integration.store.test_migrations import fill

NOW = datetime(2026, 11, 25, 15, tzinfo=UTC)
MESSAGE = "4185550101-1.wav"


@pytest.fixture
def state(tmp_path: Path, database: Database) -> Path:
    """A state folder with everything that a line keeps, and with what is not to be kept."""
    state = tmp_path / "line"
    for name in (
        f"spool/messages/{MESSAGE}",
        "spool/intake/1f.json",
        "spool/recordings/ov-1764082800.1.wav",
        "mails/é1.eml",
        "mails/é2.eml",
        "announcements/ov/fr/announcement-1.ulaw",
        "announcements/ov/fr/.announcement-1",
        "a-later-version-s/keys",
        "secrets.json",
        "demo-token",
        "log/service.log",
        "runtime/usr/sbin/asterisk",
        "sounds/ov/fr/menu.ulaw",
        "asterisk/etc/pjsip.conf",
        "demo/omnivigil.sqlite3",
        "demo/secrets.json",
        "up.log",
        "mails/.x.partial",
    ):
        file = state / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"what is in {name}\n")
    (state / "announcements/link").symlink_to("/etc/passwd")
    astdb = state / "asterisk/lib/astdb.sqlite3"
    astdb.parent.mkdir(parents=True)
    with contextlib.closing(sqlite3.connect(astdb)) as members:
        members.execute("CREATE TABLE astdb (key, value)")
        members.execute("INSERT INTO astdb VALUES ('/Queue/PersistentMembers/support', 'PJSIP/7001')")
        members.commit()
    if database.kind == "sqlite":
        # As the service has it: much of it is in the log beside the file.
        (state / "omnivigil.sqlite3").symlink_to(database.url.removeprefix("sqlite+aiosqlite:///"))
    return state


KEPT = {
    f"spool/messages/{MESSAGE}",
    "spool/intake/1f.json",
    "spool/recordings/ov-1764082800.1.wav",
    "mails/é1.eml",
    "mails/é2.eml",
    "announcements/ov/fr/announcement-1.ulaw",
    "announcements/ov/fr/.announcement-1",
    "a-later-version-s/keys",
    "secrets.json",
    "demo-token",
}


@pytest.fixture
def empty(database: Database, server_of: Callable[[], PostgresServer]) -> Iterator[str | None]:
    """The URL of an empty PostgreSQL database; none for SQLite."""
    if database.kind == "sqlite":
        yield None
        return
    server = server_of()
    name = f"restored_{id(database)}"
    server.sql(f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0")
    yield server.url(name)
    server.sql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def server_of(request: pytest.FixtureRequest) -> Callable[[], PostgresServer]:
    """PostgreSQL, for whoever needs it."""

    def ask() -> PostgresServer:
        server: PostgresServer = request.getfixturevalue("server")
        return server

    return ask


async def everything(url: str) -> dict[str, list[Any]]:
    """Every row of every table."""
    store = open_store(url)
    found = sa.MetaData()
    try:
        async with store.reading() as unit:
            await unit._connection.run_sync(lambda sync: found.reflect(sync))
            tables = [table for table in found.sorted_tables if not table.name.startswith("solutions_words_")]
            return {table.name: sorted(map(repr, (await unit.execute(sa.select(table))).all())) for table in tables}
    finally:
        await store.close()


def files_below(state: Path) -> set[str]:
    found = {path.relative_to(state).as_posix() for path in state.rglob("*") if path.is_file()}
    # SQLite's own, which come and go with whoever reads.
    return {name for name in found if not name.endswith(("-wal", "-shm"))}


def hidden(folder: Path) -> list[Path]:
    """What was to be gone."""
    return list(folder.glob(".*"))


async def backed_up(state: Path, database: Database, path: Path) -> Path:
    await create.make(path, state=state, url=database.url, now=NOW)
    return path


class TestWhole:
    async def test_a_line_is_as_it_was(
        self, state: Path, database: Database, store: Store, empty: str | None, tmp_path: Path
    ) -> None:
        """Every row of every table, every file, with its age; private whatever the umask is; numbers go on."""
        counts = await fill(database)
        sounds = '{"fr": "ov/fr/announcement-1", "en": "ov/en/announcement-9"}'
        database.sql(f"UPDATE announcements SET ended_at = NULL, sounds = '{sounds}', brief_sounds = NULL")  # noqa: S608
        before = await everything(database.url)
        assert all(counts.values())
        file = await backed_up(state, database, tmp_path / "b.tar.gz")
        assert file.stat().st_mode & 0o777 == 0o600
        assert list((state / "backups").iterdir()) == []
        new = tmp_path / "new"
        found = await restore.restore(file, state=new, url=empty)
        assert files_below(new) - {"omnivigil.sqlite3"} == KEPT | {"asterisk/lib/astdb.sqlite3"}
        for name in KEPT:
            assert (new / name).read_bytes() == (state / name).read_bytes(), name
            assert int((new / name).stat().st_mtime) == int((state / name).stat().st_mtime)
        assert all(path.stat().st_mode & 0o077 == 0 for path in (new, *new.rglob("*")))
        restored = empty or Settings(state=new).database_url
        assert await everything(restored) == before
        with contextlib.closing(sqlite3.connect(new / "asterisk/lib/astdb.sqlite3")) as members:
            assert members.execute("SELECT value FROM astdb").fetchall() == [("PJSIP/7001",)]
        # Rows of `fill` name files that nobody wrote; its e-mails have theirs.
        assert set(found.missing) == {"announcements/ov/en/announcement-9", "spool/messages/é1", "spool/messages/é2"}
        assert hidden(tmp_path) == []
        again = open_store(restored)
        await migrate(again)
        async with again.unit() as unit:
            values = "('request', 'new', 'omnivigil', 'support', 1, '2026-01-01', '2026-01-01')"
            await unit.execute(
                sa.text(
                    "INSERT INTO tickets (kind, status, desk, department, version, created_at, updated_at)"  # noqa: S608
                    f" VALUES {values}"
                )
            )
        await again.close()

    async def test_looking_writes_nothing(self, state: Path, database: Database, tmp_path: Path) -> None:
        file = await backed_up(state, database, tmp_path / "b.tar.gz")
        before = files_below(tmp_path)
        found = await restore.check(file)
        assert (found.manifest.database, found.missing) == (database.kind, ())
        assert files_below(tmp_path) == before

    async def test_a_request_on_its_way_from_the_spool_into_the_database_is_in_it(
        self, state: Path, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It leaves the spool in the very moment of the snapshot; a message's recording is only written then."""
        take = snapshots.snapshot

        async def meanwhile(url: str, into: Path) -> Any:
            taken = await take(url, into)
            (state / "spool/intake/1f.json").unlink()
            (state / "spool/messages/new.wav").write_bytes(b"new")
            return taken

        monkeypatch.setattr(snapshots, "snapshot", meanwhile)
        found = await restore.check(await backed_up(state, database, tmp_path / "b.tar.gz"))
        names = {one.name for one in found.manifest.members}
        assert {"state/spool/intake/1f.json", "state/spool/messages/new.wav"} <= names

    async def test_while_others_write(
        self, state: Path, database: Database, store: Store, empty: str | None, tmp_path: Path
    ) -> None:
        """Nobody who writes waits, and the copy is of one moment: of each pair of rows both are there or neither."""
        stop, enough = asyncio.Event(), asyncio.Event()
        written = 0

        async def write() -> None:
            nonlocal written
            while not stop.is_set():
                async with store.unit() as unit:
                    for table in ("partners", "customers"):
                        fields = "key, name, tier" if table == "partners" else "account, name"
                        values = f"'p{written}', 'p{written}', 'elite'" if table == "partners" else f"'C{written}', 'x'"
                        await unit.execute(sa.text(f"INSERT INTO {table} ({fields}) VALUES ({values})"))  # noqa: S608
                written += 1
                if written == 20:
                    enough.set()
                await asyncio.sleep(0)

        writing = asyncio.create_task(write())
        await asyncio.wait([writing, asyncio.create_task(enough.wait())], return_when=asyncio.FIRST_COMPLETED)
        assert not writing.done(), writing.exception()
        file = await backed_up(state, database, tmp_path / "b.tar.gz")
        stop.set()
        await writing
        await restore.restore(file, state=tmp_path / "new", url=empty)
        rows = await everything(empty or Settings(state=tmp_path / "new").database_url)
        assert 20 <= len(rows["partners"]) == len(rows["customers"]) <= written


class TestRefused:
    async def test_what_is_there_is_never_written_over(
        self, state: Path, database: Database, tmp_path: Path, empty: str | None
    ) -> None:
        file = await backed_up(state, database, tmp_path / "b.tar.gz")
        with pytest.raises(BadInput, match="is there already") as refused:
            await backed_up(state, database, file)
        assert refused.value.field == "FILE"
        before = files_below(state)
        with pytest.raises(BadInput, match="is not empty") as refused:
            await restore.restore(file, state=state, url=empty)
        assert refused.value.field == "--state"
        assert files_below(state) == before
        if database.kind == "postgresql":
            with pytest.raises(BadInput, match="there are tables in it already") as refused:
                await restore.restore(file, state=tmp_path / "new", url=database.url)
            assert refused.value.field == "--database-url"
            assert not (tmp_path / "new").exists()

    async def test_another_kind_of_database(self, state: Path, database: Database, tmp_path: Path) -> None:
        file = await backed_up(state, database, tmp_path / "b.tar.gz")
        other = "postgresql+asyncpg://x@127.0.0.1:1/x" if database.kind == "sqlite" else None
        with pytest.raises(BadInput, match=f"the backup is of {database.kind}"):
            await restore.restore(file, state=tmp_path / "new", url=other)
        assert not (tmp_path / "new").exists()
        assert hidden(tmp_path) == []


@pytest.fixture
def sqlite_state(sqlite_files: Any, filling: Filling, tmp_path: Path) -> Path:
    """A small line."""
    state = tmp_path / "line"
    (state / "spool/messages").mkdir(parents=True)
    (state / "spool/messages" / MESSAGE).write_bytes(bytes(range(256)) * 400)
    made = sqlite_files.database(filling)
    shutil.copy(made.path, state / "omnivigil.sqlite3")
    made.drop()
    return state


async def made_of(state: Path, path: Path) -> Path:
    await create.make(path, state=state, url=Settings(state=state).database_url, now=NOW)
    return path


def rewritten(source: Path, target: Path, change: Callable[[list[tuple[tarfile.TarInfo, bytes]]], None]) -> Path:
    """An archive whose members somebody changed."""
    with tarfile.open(source) as tar:
        members = [(info, (tar.extractfile(info) or io.BytesIO()).read()) for info in tar]
    change(members)
    with tarfile.open(target, "w:gz") as tar:
        for info, content in members:
            if info.isreg():
                info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return target


def same_content(changed: bytes, whole: bytes) -> bool:
    """Whether gzip reads the same from both, in spite of a changed byte.

    A header's time and operating system mean nothing, and in repeated data another distance leads to the same bytes.
    """
    try:
        return gzip.decompress(changed) == gzip.decompress(whole)
    except (OSError, EOFError, zlib.error):
        return False


async def refused(path: Path, tmp_path: Path) -> str:
    """Why a file is refused, by a look and by a restore alike; nothing of it stays."""
    before = files_below(tmp_path)
    said = []
    for attempt in (restore.check(path), restore.restore(path, state=tmp_path / "new", url=None)):
        with pytest.raises((Damaged, BadInput)) as caught:
            await attempt
        said.append(str(caught.value))
    assert files_below(tmp_path) == before
    assert not (tmp_path / "new").exists()
    assert said[0] == said[1]
    return said[0]


class TestHostile:
    async def test_damaged_anywhere(self, sqlite_state: Path, tmp_path: Path) -> None:
        """Cut off at any place, or with any byte changed, it is refused."""
        whole = (await made_of(sqlite_state, tmp_path / "b.tar.gz")).read_bytes()
        bad = tmp_path / "bad.tar.gz"
        for place in {0, 1, 9, 100, len(whole) // 3, len(whole) // 2, len(whole) - 9, len(whole) - 1}:
            bad.write_bytes(whole[:place])
            await refused(bad, tmp_path)
            changed = whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :]
            bad.write_bytes(changed)
            if not same_content(changed, whole):
                await refused(bad, tmp_path)
        bad.write_bytes(b"")
        await refused(bad, tmp_path)
        bad.write_bytes(gzip.compress(b"no tar\n" * 5000))
        await refused(bad, tmp_path)

    @pytest.mark.parametrize(
        "name",
        [
            "state/../../escaped",
            "/state/absolute",
            "../escaped",
            "state/spool/../../../escaped",
            "state",
            "state/./x",
            "state/a\nb",
            "escaped",
            "database/x/y.copy",
            "database/../x.copy",
            "state/runtime/usr/sbin/asterisk",
            "state/asterisk/etc/asterisk.conf",
            "state/run/settings.json",
            "state/omnivigil.sqlite3",
            "state/backups/x",
        ],
    )
    async def test_names_that_no_backup_has(self, sqlite_state: Path, tmp_path: Path, name: str) -> None:
        whole = await made_of(sqlite_state, tmp_path / "b.tar.gz")

        def add(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
            members.insert(0, (tarfile.TarInfo(name), b"mine"))

        assert "nothing that a backup holds" in await refused(rewritten(whole, tmp_path / "bad.tar.gz", add), tmp_path)

    @pytest.mark.parametrize(
        "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE]
    )
    async def test_only_plain_files(self, sqlite_state: Path, tmp_path: Path, kind: bytes) -> None:
        whole = await made_of(sqlite_state, tmp_path / "b.tar.gz")

        def add(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
            info = tarfile.TarInfo("state/mails/x")
            info.type, info.linkname = kind, "/etc/passwd"
            members.insert(0, (info, b""))

        assert "not a plain file" in await refused(rewritten(whole, tmp_path / "bad.tar.gz", add), tmp_path)

    async def test_what_the_manifest_does_not_confirm(self, sqlite_state: Path, tmp_path: Path) -> None:
        whole = await made_of(sqlite_state, tmp_path / "b.tar.gz")

        def change(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
            place = next(n for n, (info, _) in enumerate(members) if info.name.endswith(MESSAGE))
            members[place] = (members[place][0], b"another")

        def add(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
            members.insert(0, (tarfile.TarInfo("state/mails/more"), b"mine"))

        def twice(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
            members.insert(0, members[0])

        def behind(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
            members.append((tarfile.TarInfo("state/mails/more"), b"mine"))

        def without(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
            members.pop()

        for alter, said in (
            (change, "not as it was backed up"),
            (add, "not as it was backed up"),
            (twice, "there twice"),
            (behind, "behind its end"),
            (without, "its end is missing"),
        ):
            assert said in await refused(rewritten(whole, tmp_path / "bad.tar.gz", alter), tmp_path)

    @pytest.mark.parametrize(
        ("facts", "said"),
        [
            ({"revision": "9999"}, "of revision 9999, and this version knows them up to"),
            ({"format": 2}, "of format 2, and this version reads up to 1"),
            ({"revision": "0001"}, "its tables are of revision"),
            ({"members": 3}, "cannot be read"),
        ],
    )
    async def test_a_later_version_s(
        self, sqlite_state: Path, tmp_path: Path, facts: dict[str, Any], said: str
    ) -> None:
        whole = await made_of(sqlite_state, tmp_path / "b.tar.gz")

        def change(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
            info, manifest = members[-1]
            members[-1] = (info, json.dumps(json.loads(manifest) | facts).encode())

        assert said in await refused(rewritten(whole, tmp_path / "bad.tar.gz", change), tmp_path)

    async def test_a_full_disk_leaves_nothing(self, sqlite_state: Path, tmp_path: Path) -> None:
        """The process may write no files beyond so many bytes, as on a disk that is full then."""
        whole = await made_of(sqlite_state, tmp_path / "b.tar.gz")
        before = files_below(tmp_path)
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
        try:
            with pytest.raises(BackupFailed):
                await made_of(sqlite_state, tmp_path / "second.tar.gz")
            with pytest.raises(restore.RestoreFailed):
                await restore.restore(whole, state=tmp_path / "new", url=None)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, ignored)
        assert files_below(tmp_path) == before
        assert not (tmp_path / "new").exists()


class TestUpgrade:
    async def test_a_backup_before_each_migration_and_the_last_few_of_them(
        self, database: Database, store: Store, tmp_path: Path, empty: str | None
    ) -> None:
        state = tmp_path / "line"
        state.mkdir()
        latest, one_before = known_revisions()[:2]
        assert await create.before_migration(store, state=state, url=database.url, now=NOW) is None
        await migrate(store, one_before)
        await fill(database)
        before = await everything(database.url)
        for n in range(create.BEFORE_MIGRATIONS + 2):
            at = NOW.replace(minute=n)
            made = await create.before_migration(store, state=state, url=database.url, now=at)
            assert made is not None
        kept = sorted((state / "backups").iterdir())
        assert [one.name for one in kept] == [
            f"20261125T15{n:02}00-revision-{one_before}.tar.gz" for n in range(2, create.BEFORE_MIGRATIONS + 2)
        ]
        await migrate(store)
        # And back, with the version from before.
        with pytest.raises(BadInput, match="--database-only"):
            await restore.restore(kept[-1], state=tmp_path / "new", url=empty)
        await restore.restore(kept[-1], state=state, url=empty, database_only=True)
        restored = empty or Settings(state=state).database_url
        assert await everything(restored) == before
        if empty is None:
            with pytest.raises(BadInput, match=r"omnivigil\.sqlite3 would be written over"):
                await restore.restore(kept[-1], state=state, url=None, database_only=True)
        assert latest != one_before

    async def test_a_database_that_is_newer_than_the_program(self, database: Database, store: Store) -> None:
        """Both revisions are named, and nothing is touched."""
        database.sql("UPDATE alembic_version SET version_num = '9999'")
        before = database.tables()
        for attempt in (migrate, revision_of):
            with pytest.raises(SchemaNewer, match=f"restore the backup.*9999.*{known_revisions()[0]}"):
                await attempt(store)
        assert database.tables() == before

    async def test_without_room_for_a_backup_nothing_is_migrated(
        self, database: Database, store: Store, tmp_path: Path
    ) -> None:
        state = tmp_path / "line"
        state.mkdir()
        (state / "backups").touch()
        await migrate(store, known_revisions()[1])
        with pytest.raises(BadInput, match="no backup could be made before the migration") as refused:
            await create.before_migration(store, state=state, url=database.url, now=NOW)
        assert refused.value.field == "--state"
        assert await revision_of(store) == known_revisions()[1]

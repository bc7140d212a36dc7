"""Whole lists into the directory and out of it, on both databases: all or nothing, beside whoever else writes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select

from ivr.accounts.tables import audit
from ivr.desk.load import load_desks
from ivr.directory import bulk_import, files, queries, service
from ivr.directory.bulk_import import Change, DirectoryChanged, Plan
from ivr.directory.demo import load_demo
from ivr.directory.desk_references import Known, known_of
from ivr.directory.entries import KINDS, read_entry
from ivr.directory.import_diff import plan
from ivr.directory.lookup import Directory
from ivr.directory.sip_passwords import ha1
from ivr.directory.tables import directory_changes, endpoints
from ivr.errors import Unavailable
from ivr.lists.sheets import write_sheet
from ivr.store.engine import Store

NOW = datetime(2026, 12, 24, 16, 59, tzinfo=UTC)
KNOWN: Known = known_of(load_desks().values(), "main")
Away = Callable[[], AbstractContextManager[None]]


def an_operator(customers: int = 300, phones: int = 4000, partners: int = 12, staff: int = 15) -> dict[str, bytes]:
    """The lists of one of this size."""
    number = [f"418 {200 + n // 10_000} {n % 10_000:04d}" for n in range(phones)]
    return {
        "partners.csv": write_sheet(
            ["clé", "nom", "palier"], [[f"p{n}", f"Réseau n° {n}", "élite"] for n in range(partners)]
        ),
        "warned.csv": write_sheet(
            ["partenaire", "nom", "rôle", "cellulaire"],
            [[f"p{n}", f"Sylvie {n}", "administrateur", f"581 555-{n:04d}"] for n in range(partners)],
        ),
        "accounts.csv": write_sheet(
            ["compte", "nom", "partenaire", "langue"],
            [[f"C-{n}", f"Client « {n} »", f"p{n % partners}", "français"] for n in range(customers)],
        ),
        "contacts.csv": write_sheet(
            ["clé", "compte", "nom", "rôle"],
            [[f"c{n}", f"C-{n}", f"Julie {n}", "administrateur"] for n in range(customers)],
        ),
        "numbers.csv": write_sheet(
            ["numéro", "compte", "contact"],
            [[one, f"C-{n % customers}", f"c{n % customers}"] for n, one in enumerate(number)],
        ),
        "phones.csv": write_sheet(
            ["poste", "compte", "genre", "afficheur"],
            [
                *([f"p{n:05d}", f"C-{n % customers}", "", one] for n, one in enumerate(number)),
                *([f"79{n:02d}", "", "technicien", ""] for n in range(staff)),
            ],
        ),
        "staff.csv": write_sheet(
            ["clé", "nom", "poste", "files"], [[f"t{n}", f"Tech {n}", f"79{n:02d}", "support"] for n in range(staff)]
        ),
    }


async def compared(store: Store, given: dict[str, bytes], *, prune: bool = False) -> Plan:
    async with store.reading() as unit:
        there = await bulk_import.look(unit, "main")
    return plan(there, files.read(given), provider="main", known=KNOWN, prune=prune)


async def applied(store: Store, made: Plan) -> None:
    await bulk_import.carry_out(store, made, by="ops", at=NOW, source="test")


async def imported(store: Store, given: dict[str, bytes], *, prune: bool = False) -> Plan:
    made = await compared(store, given, prune=prune)
    await applied(store, made)
    return made


async def exported(store: Store) -> dict[str, bytes]:
    async with store.reading() as unit:
        return files.as_csv(bulk_import.told(await bulk_import.look(unit, "main")))


async def test_an_operators_lists_go_in_come_out_and_change_nothing_again(store: Store) -> None:
    given = an_operator()
    made = await imported(store, given)
    assert {kind: len(rows) for kind, rows in made.added.items()} == {
        "partners": 12,
        "accounts": 300,
        "contacts": 300,
        "numbers": 4000,
        "phones": 4015,
        "staff": 15,
    }
    assert (await compared(store, given)).changes == []
    assert (await compared(store, await exported(store), prune=True)).changes == []
    directory = Directory(store)
    await directory.reload()
    caller = directory.identify("14182000299", None)
    assert caller.customer is not None
    assert caller.partner is not None
    assert (caller.customer.account, caller.partner.key, caller.customer.name) == ("C-299", "p11", "Client « 299 »")
    technician = directory.technician("7914")
    assert technician is not None
    assert technician.queues == ("support",)
    async with store.reading() as unit:
        kept = (await unit.execute(select(endpoints.c.ha1).where(endpoints.c.name == "p00007"))).scalar_one()
        assert kept == ha1("p00007", made.secrets["p00007"])


async def test_it_is_what_single_entries_would_be(store: Store) -> None:
    """Both ways of writing agree: whatever one wrote, the other finds as it is to be."""
    async with store.unit() as unit:
        await load_demo(unit)
    before = await exported(store)
    assert (await compared(store, before, prune=True)).changes == []
    await imported(store, an_operator(5, 20, 2, 2))
    async with store.unit() as unit:
        for kind in KINDS:
            for one in (await queries.find(unit, "main", kind, limit=100)).entries:
                body = one.view()
                body.pop({"numbers": "e164", "phones": "name"}.get(kind, "key"))
                again = await service.put(unit, "main", kind, one.key, read_entry(kind, body), by="ops", at=NOW)
                assert not again.changed, (kind, one.key)


async def test_changes_and_removals(store: Store) -> None:
    await imported(store, an_operator(5, 20, 2, 2))
    lists = await exported(store)
    lists["accounts.csv"] = lists["accounts.csv"].replace("Client « 0 »".encode(), "Dépanneur « 0 »".encode())
    lists["numbers.csv"] = lists["numbers.csv"].replace(b"+1 418 200-0003;C-3;c3\r\n", b"")
    lists["phones.csv"] = b"\r\n".join(line for line in lists["phones.csv"].split(b"\r\n") if b"200-0003" not in line)
    lists["warned.csv"] = lists["warned.csv"].replace(b"Sylvie 1", b"Karim")
    lists["staff.csv"] = lists["staff.csv"].replace(b"t1;Tech 1;7901;;support", b"t1;Tech 1;;418 555-0199;support")
    made = await imported(store, lists, prune=True)
    assert made.changes == [
        Change("partners", "p1", "changed", ("people",)),
        Change("accounts", "C-0", "changed", ("name",)),
        Change("numbers", "+14182000003", "removed"),
        Change("phones", "p00003", "removed"),
        Change("staff", "t1", "changed", ("external_number", "phone")),
    ]
    after = await exported(store)
    assert (await compared(store, lists, prune=True)).changes == []
    assert "Dépanneur « 0 »".encode() in after["accounts.csv"]
    assert b"Karim" in after["warned.csv"]
    await imported(store, {name: data.split(b"\r\n")[0] for name, data in lists.items()}, prune=True)
    assert all(data.count(b"\r\n") == 1 for data in (await exported(store)).values())


async def test_who_when_and_what_is_kept_and_told_to_whoever_holds_a_copy(store: Store) -> None:
    await imported(store, an_operator(2, 3, 1, 1))
    async with store.reading() as unit:
        line = (await unit.execute(select(audit))).one()
        assert (line.who, line.action, line.subject, line.outcome) == ("ops", "directory.import", "13 added", 200)
        told = (await unit.execute(select(directory_changes).order_by(directory_changes.c.seq))).all()
        assert [(one.kind, one.key, one.what) for one in told][:2] == [
            ("partners", "p0", "put"),
            ("accounts", "C-0", "put"),
        ]
        assert len(told) == 13


async def test_of_very_many_changes_the_last_are_kept_and_the_gap_tells_the_rest(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "KEPT_CHANGES", 5)
    monkeypatch.setattr(service, "_SWEEP_EVERY", 3)
    for begin in (0, 12):
        async with store.unit() as unit:
            many = [("numbers", f"+1418555{n:04d}", "put") for n in range(begin, begin + 12)]
            await service.note_changes(unit, many, provider="main", by="ops", at=NOW)  # type: ignore[arg-type]
    async with store.unit() as unit:
        await service.note_changes(unit, [("numbers", "one", "put")], provider="main", by="ops", at=NOW)
        kept = (await unit.execute(select(directory_changes.c.seq).order_by(directory_changes.c.seq))).scalars().all()
    assert kept == [24, 25]


async def test_whoever_else_changed_the_directory_meanwhile_is_not_overwritten(store: Store) -> None:
    made = await compared(store, an_operator(2, 3, 1, 1))
    async with store.unit() as unit:
        entry = read_entry("accounts", {"name": "Autre"})
        await service.put(unit, "main", "accounts", "C-0", entry, by="ops", at=NOW)
    with pytest.raises(DirectoryChanged):
        await applied(store, made)
    assert (await exported(store))["phones.csv"].count(b"\r\n") == 1


async def test_a_database_that_goes_away_has_nothing_of_it(store: Store, database_away: Away) -> None:
    made = await compared(store, an_operator(2, 3, 1, 1))
    with database_away(), pytest.raises(Unavailable):
        await applied(store, made)
    async with store.reading() as unit:
        assert (await unit.execute(select(func.count()).select_from(endpoints))).scalar_one() == 0
    await applied(store, made)


async def test_what_fails_in_the_midst_leaves_nothing(store: Store) -> None:
    made = await compared(store, an_operator(2, 3, 1, 1))
    told: list[int] = []

    def full(done: int, of: int) -> None:
        told.append(done)
        if done > of / 2:
            raise OSError("no space left")

    with pytest.raises(OSError, match="no space"):
        await bulk_import.carry_out(store, made, by="ops", at=NOW, source="test", said=full)
    assert told
    assert all(data.count(b"\r\n") == 1 for data in (await exported(store)).values())

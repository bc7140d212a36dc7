"""The directory as it is written: each kind, what it refers to, what still uses it, and what is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from ivr.accounts.tables import audit
from ivr.desk.load import load_desks
from ivr.directory import queries, service
from ivr.directory.demo import load_demo
from ivr.directory.desk_references import Known, known_of
from ivr.directory.entries import KINDS, Kind, read_entry
from ivr.directory.errors import Changed, EntryNotFound, InUse, LastAdministrator
from ivr.directory.lookup import Directory
from ivr.directory.service import Put
from ivr.directory.sip_passwords import ha1
from ivr.directory.tables import directory_changes, endpoints
from ivr.errors import AllBadInput, BadInput
from ivr.store.engine import Store

NOW = datetime(2026, 12, 24, 16, 59, tzinfo=UTC)
KNOWN: Known = known_of(load_desks().values(), "main")

CLINIC: dict[str, Any] = {"name": "Essai inc.", "language": "fr", "partner": "boreal"}
JULIE: dict[str, Any] = {"account": "C-9", "name": "Julie", "kind": "administrateur", "phones": ["418 555-0188"]}
#: One of each kind, in an order in which they can be entered.
WHOLE: tuple[tuple[Kind, str, Mapping[str, Any]], ...] = (
    (
        "partners",
        "boreal",
        {
            "name": "Réseaux Boréal",
            "tier": "elite",
            "portal": "https://portail.example/",
            "people": [{"name": "Sylvie", "role": "administrateur", "mobile": "418 555-0161", "language": "fr"}],
        },
    ),
    ("accounts", "C-9", CLINIC | {"dial_rights": ["local"], "desk": "omnivigil"}),
    ("contacts", "julie", JULIE | {"rights": ["transfer"]}),
    ("numbers", "+14185550188", {"account": "C-9", "contact": "julie"}),
    ("phones", "6900", {"account": "C-9", "contact": "julie", "caller_id": "4185550188", "codecs": ["g722"]}),
    ("phones", "7900", {"kind": "technician"}),
    ("phones", "7950", {"department": "ventes", "devices": 3}),
    (
        "staff",
        "nadia",
        {
            "name": "Nadia",
            "phone": "7900",
            "queues": ["support"],
            "languages": ["fr", {"language": "en", "penalty": 5}],
        },
    ),
)


class Editor:
    """Edits the main provider's directory as an administrator does."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def put(self, kind: Kind, key: str, values: Mapping[str, Any], *, provider: str = "main", **more: Any) -> Put:
        async with self._store.unit() as unit:
            entry = read_entry(kind, values)
            options: dict[str, Any] = {"by": "ana", "at": NOW, "known": KNOWN if provider == "main" else None} | more
            return await service.put(unit, provider, kind, key, entry, **options)

    async def patch(self, kind: Kind, key: str, changes: Mapping[str, Any], **more: Any) -> Put:
        async with self._store.unit() as unit:
            return await service.patch(unit, "main", kind, key, changes, by="ana", at=NOW, known=KNOWN, **more)

    async def delete(self, kind: Kind, key: str, **more: Any) -> None:
        async with self._store.unit() as unit:
            await service.delete(unit, "main", kind, key, by="ana", at=NOW, known=KNOWN, **more)

    async def get(self, kind: Kind, key: str, provider: str = "main") -> dict[str, Any] | None:
        async with self._store.reading() as unit:
            found = await queries.get(unit, provider, kind, key)
        return found.view() if found is not None else None

    async def whole(self) -> list[Put]:
        return [await self.put(kind, key, values) for kind, key, values in WHOLE]

    async def changes(self) -> list[tuple[str, str, str]]:
        async with self._store.reading() as unit:
            rows = await unit.execute(select(directory_changes).order_by(directory_changes.c.seq))
            return [(row.kind, row.key, row.what) for row in rows]


@pytest.fixture
def edit(store: Store) -> Editor:
    return Editor(store)


async def test_each_kind_is_made_read_and_the_same_put_again_changes_nothing(edit: Editor, store: Store) -> None:
    made = await edit.whole()
    assert all(one.created for one in made)
    assert [one.secret is not None for one in made] == [kind == "phones" for kind, _, _ in WHOLE]
    assert await edit.get("staff", "nadia") == {
        "key": "nadia",
        "name": "Nadia",
        "phone": "7900",
        "external_number": None,
        "queues": ["support"],
        "languages": ["fr", {"language": "en", "penalty": 5}],
        "skills": [],
        "account": None,
    }
    number = await edit.get("numbers", "+14185550188")
    assert number == {"e164": "+14185550188", "account": "C-9", "contact": "julie"}
    assert ((await edit.get("contacts", "julie")) or {})["phones"] == ["+14185550188"]
    before = await edit.changes()
    assert before == [(kind, key, "put") for kind, key, _ in WHOLE]
    again = await edit.whole()
    assert not any(one.created or one.changed or one.secret for one in again)
    assert [one.etag for one in again] == [one.etag for one in made]
    async with store.reading() as unit:
        listed = [one async for one in queries.everything(unit, "main")]
        assert [(one.kind, one.key, one.etag) for one in listed] == [
            (kind, key, put.etag) for (kind, key, _), put in zip(WHOLE, made, strict=True)
        ]
    assert await edit.changes() == before


async def test_what_is_written_is_what_calls_know(edit: Editor, store: Store) -> None:
    made = dict(zip([key for _, key, _ in WHOLE], await edit.whole(), strict=True))
    directory = Directory(store)
    book = await directory.reload()
    found = directory.identify("14185550188", None)
    assert (found.customer and found.customer.account, found.contact and found.contact.name) == ("C-9", "Julie")
    assert found.partner is not None
    assert (found.partner.key, found.partner.tier, found.language) == ("boreal", "elite", "fr")
    phone = book.endpoints["6900"]
    assert phone.ha1 == ha1("6900", made["6900"].secret or "")
    assert (phone.display, phone.caller_id, phone.language) == ("Julie", "14185550188", "fr")
    technician = directory.technician("7900")
    assert technician is not None
    assert (technician.key, technician.queues, technician.language) == ("nadia", ("support",), "fr")
    assert book.endpoints["7950"].caller_id == "7950"


async def test_one_number_is_a_customer_of_two_providers_and_each_knows_its_own(edit: Editor, store: Store) -> None:
    for provider, name in (("main", "Chez nous"), ("autre", "Chez eux")):
        await edit.put("accounts", "C-9", {"name": name}, provider=provider)
        await edit.put("numbers", "+14185550188", {"account": "C-9"}, provider=provider)
    await edit.put("phones", "6900", {"account": "C-9"}, provider="autre")
    directory = Directory(store)
    await directory.reload()

    def known(*asked: str | None) -> str | None:
        customer = directory.identify(*asked).customer
        return customer.name if customer is not None else None

    assert known("14185550188", None) == known("14185550188", None, "main") == "Chez nous"
    assert known("14185550188", None, "autre") == known(None, "6900", "autre") == known(None, "6900") == "Chez eux"
    assert known(None, "6900", "main") is known("14185550188", None, "troisieme") is None
    # It rings at one of them: whoever comes later is told, and what was entered before can still be changed.
    await edit.put("phones", "6900", {"account": "C-9", "caller_id": "+14185550188"}, provider="autre")
    with pytest.raises(BadInput, match="rings another provider's phones already"):
        await edit.put("phones", "6901", {"account": "C-9", "caller_id": "+14185550188"})
    await edit.put("phones", "6901", {"account": "C-9"})
    await edit.put("phones", "6900", {"account": "C-9", "caller_id": "+14185550188", "devices": 3}, provider="autre")
    # Phones' names are one space.
    with pytest.raises(BadInput, match="another provider"):
        await edit.put("phones", "6900", {"account": "C-9"})
    assert await edit.get("phones", "6900") is None


async def test_what_still_uses_a_thing_is_named_and_what_is_unused_goes(edit: Editor) -> None:
    await edit.whole()
    for kind, key, users in (
        ("partners", "boreal", ("account C-9",)),
        ("accounts", "C-9", ("number +14185550188", "phone 6900")),
        ("contacts", "julie", ("number +14185550188", "phone 6900")),
        ("numbers", "+14185550188", ("phone 6900",)),
        ("phones", "7900", ("member of staff nadia",)),
    ):
        with pytest.raises(InUse) as told:
            await edit.delete(kind, key)  # type: ignore[arg-type]
        assert told.value.uses == users
    await edit.put("phones", "7101", {"department": "ventes"})
    with pytest.raises(InUse, match="department ventes"):
        await edit.delete("phones", "7101")
    for kind, key, _ in reversed(WHOLE):
        if kind != "contacts":
            await edit.delete(kind, key)
    # Its last administrator went with the account.
    assert await edit.get("contacts", "julie") is None
    assert (await edit.changes())[-3:] == [
        ("contacts", "julie", "delete"),
        ("accounts", "C-9", "delete"),
        ("partners", "boreal", "delete"),
    ]
    with pytest.raises(EntryNotFound):
        await edit.delete("accounts", "C-9")


async def test_ov20_the_last_administrator_of_an_account_stays(edit: Editor) -> None:
    for key in ("C-9", "C-10"):
        await edit.put("accounts", key, {"name": key})
    await edit.put("contacts", "julie", JULIE)
    for attempt in ({"kind": "utilisateur"}, {"account": "C-10"}):
        with pytest.raises(LastAdministrator, match="C-9"):
            await edit.patch("contacts", "julie", attempt)
    with pytest.raises(LastAdministrator):
        await edit.delete("contacts", "julie")
    await edit.put("contacts", "marc", JULIE | {"name": "Marc", "phones": []})
    await edit.patch("contacts", "julie", {"kind": "utilisateur"})
    with pytest.raises(LastAdministrator):
        await edit.delete("contacts", "marc")
    await edit.delete("contacts", "julie")


async def test_a_change_needs_the_entry_to_be_what_it_was(edit: Editor) -> None:
    first = await edit.put("accounts", "C-9", {"name": "Un"})
    second = await edit.put("accounts", "C-9", {"name": "Deux"}, expected_etag=first.etag)
    assert (second.created, second.changed) == (False, True)
    for attempt in (
        edit.put("accounts", "C-9", {"name": "Trois"}, expected_etag=first.etag),
        edit.patch("accounts", "C-9", {"name": "Trois"}, expected_etag=first.etag),
        edit.delete("accounts", "C-9", expected_etag=first.etag),
        edit.put("accounts", "C-10", {"name": "Trois"}, expected_etag="*"),
    ):
        with pytest.raises(Changed):
            await attempt
    await edit.delete("accounts", "C-9", expected_etag=second.etag)


async def test_rfc7396_a_patch_changes_what_it_names(edit: Editor) -> None:
    await edit.whole()
    await edit.patch("accounts", "C-9", {"name": "Autre", "partner": None})
    found = await edit.get("accounts", "C-9")
    assert found is not None
    assert (found["name"], found["partner"], found["dial_rights"]) == ("Autre", None, ["local"])
    with pytest.raises(EntryNotFound):
        await edit.patch("accounts", "C-10", {"name": "Autre"})
    with pytest.raises(AllBadInput, match="colour"):
        await edit.patch("accounts", "C-9", {"colour": "red"})


@pytest.mark.parametrize(
    ("kind", "key", "values", "field", "mend"),
    [
        ("accounts", "C-8", {"name": "x", "partner": "nobody"}, "partner", "enter that one first"),
        ("accounts", "C-8", {"name": "x", "desk": "nowhere"}, "desk", "use one of omnivigil"),
        ("contacts", "eva", JULIE | {"account": "C-8"}, "account", "enter that one first"),
        ("numbers", "+14185550177", {"account": "C-8"}, "account", "enter that one first"),
        ("numbers", "+14185550177", {"account": "C-9", "contact": "eva"}, "contact", "enter that one first"),
        ("numbers", "+18446664844", {"account": "C-9"}, "e164", "give a customer's"),
        ("phones", "6901", {"account": "C-10", "contact": "julie"}, "contact", "one of that account's"),
        ("phones", "6901", {"account": "C-10", "caller_id": "4185550188"}, "caller_id", "one of its own"),
        ("phones", "6901", {"department": "nowhere"}, "department", "use one of ventes"),
        ("phones", "7900", {"account": "C-9"}, "kind", "another phone first"),
        ("numbers", "+14185550188", {"account": "C-10"}, "account", "caller_id first"),
        ("staff", "omar", {"name": "x", "phone": "7900"}, "phone", "take it from them first"),
        ("staff", "omar", {"name": "x", "phone": "6900"}, "phone", "one of kind technician"),
        ("staff", "omar", {"name": "x", "phone": "7999"}, "phone", "enter that one first"),
        ("staff", "nadia", {"name": "x", "phone": "7900", "queues": ["none"]}, "queues.0", "use one of"),
        ("staff", "nadia", {"name": "x", "phone": "7900", "account": "nobody"}, "account", "account add"),
        ("partners", "other", {"name": "Réseaux Boréal"}, "name", "choose another"),
        (
            "partners",
            "other",
            {"name": "Autre", "people": [{"name": "S", "role": "administrateur", "mobile": "4185550161"}]},
            "people",
            "nobody gets a message twice",
        ),
    ],
)
async def test_what_does_not_fit_the_rest_is_refused_with_its_field_and_nothing_is_written(
    edit: Editor, kind: Kind, key: str, values: Mapping[str, Any], field: str, mend: str
) -> None:
    await edit.whole()
    await edit.put("accounts", "C-10", {"name": "Autre"})
    before = await edit.changes(), await edit.get(kind, key)
    with pytest.raises(AllBadInput) as told:
        await edit.put(kind, key, values)
    assert (told.value.field, mend in told.value.mend) == (field, True), told.value
    assert (await edit.changes(), await edit.get(kind, key)) == before


async def test_a_secret_is_shown_once_and_renewed(edit: Editor, store: Store) -> None:
    first = await edit.put("phones", "7900", {"kind": "technician"})
    async with store.unit() as unit:
        second = await service.renew_secret(unit, "main", "7900", by="ana", at=NOW)
    assert first.secret not in (None, second)
    async with store.reading() as unit:
        (row,) = (await unit.execute(select(endpoints))).all()
        noted = (await unit.execute(select(audit).order_by(audit.c.id))).all()
    assert row.ha1 == ha1("7900", second)
    assert [(one.who, one.action, one.subject, one.fields) for one in noted] == [
        ("ana", "directory.put", "phone 7900", ["kind"]),
        ("ana", "directory.put", "phone 7900", ["secret"]),
    ]


async def test_lists_are_searched_narrowed_ordered_and_continued(edit: Editor, store: Store) -> None:
    await edit.whole()
    for number in range(5):
        await edit.put("accounts", f"D-{number}", {"name": f"Garage {9 - number}", "phone": f"418555010{number}"})
    async with store.reading() as unit:

        async def keys(kind: Kind, **asked: Any) -> list[str]:
            return [one.key for one in (await queries.find(unit, "main", kind, **asked)).entries]

        assert await keys("accounts", q="gar 7") == ["D-2"]
        assert await keys("partners", q="RÉSEAUX boréal") == await keys("partners", q="réseaux") == ["boreal"]
        assert await keys("accounts", q="100%") == await keys("accounts", q="_") == []
        assert await keys("accounts", q="(418) 555-0103") == ["D-3"]
        assert await keys("accounts", filters={"partner": "boreal"}) == ["C-9"]
        assert await keys("contacts", q="JULIE", filters={"account": "C-9"}) == ["julie"]
        assert await keys("contacts", q="418 555 0188") == ["julie"]
        assert await keys("phones", filters={"kind": "technician"}) == ["7900"]
        for sort, expected in (("name", ["C-9", *(f"D-{n}" for n in (4, 3, 2, 1, 0))]), ("-key", ["D-4", "D-3"])):
            seen: list[str] = []
            after = None
            while True:
                part = await queries.find(unit, "main", "accounts", sort=sort, limit=2, after=after)
                seen += [one.key for one in part.entries]
                if (after := part.more) is None:
                    break
            assert seen[: len(expected)] == expected
            assert len(seen) == len(set(seen)) == 6
        for wrong in ({"sort": "colour"}, {"filters": {"colour": "red"}}):
            with pytest.raises(BadInput):
                await keys("accounts", **wrong)


async def test_the_demo_is_loaded_beside_another_provider_who_has_the_same_keys(edit: Editor, store: Store) -> None:
    for account, contact in (("C-1001", "un"), ("C-1002", "deux")):
        await edit.put("accounts", account, {"name": "Chez eux"}, provider="autre")
        await edit.put("contacts", contact, {"account": account, "name": "Zoé"}, provider="autre")
    await edit.put("numbers", "+14185550101", {"account": "C-1001"}, provider="autre")
    await edit.put("phones", "7101", {"department": "ventes"}, provider="autre")
    for _ in range(2):
        async with store.unit() as unit:
            await load_demo(unit)
    book = await Directory(store).reload()
    found = book.identify(None, "6001")
    assert found.customer is not None
    assert (found.customer.provider, found.customer.name) == ("main", "Clinique du Cap")
    assert len(book.customers) == 5
    assert book.endpoints["7101"].provider == "autre"


async def test_the_demo_reads_as_entries_and_writes_back_unchanged(edit: Editor, store: Store) -> None:
    async with store.unit() as unit:
        await load_demo(unit)
    async with store.reading() as unit:
        listed = [one async for one in queries.everything(unit, "main")]
    assert {one.kind for one in listed} == set(KINDS)
    for one in listed:
        values = one.entry.model_dump(mode="json")
        done = await edit.put(one.kind, one.key, values)
        assert (done.changed, done.etag) == (False, one.etag)

"""What files change in the directory: they are compared with what is there, and checked by the rules of single entries.

All of it in memory, on the directory as it would be; pure but for the secrets of new phones.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final, TypeVar, cast

from sqlalchemy import Table

from ivr.accounts.tables import accounts as console_accounts
from ivr.directory import edits, queries, service, writers
from ivr.directory import tables as t
from ivr.directory.bulk_import import KEY_COLUMNS, REFERS, TABLES, Change, Plan, Row, There
from ivr.directory.desk_references import Known
from ivr.directory.entries import (
    ENTRIES,
    KINDS,
    ONE_OF,
    AnyEntry,
    Kind,
    PartnerEntry,
    StaffEntry,
    check_key,
    read_entry,
)
from ivr.directory.files import Draft, Drafts
from ivr.directory.model import slug
from ivr.directory.sip_passwords import ha1
from ivr.errors import AllBadInput, BadInput
from ivr.lists.sheets import plain

T = TypeVar("T")

#: What a column that refers to another row is called in an entry.
_FIELDS: Final = {
    "partner_id": "partner",
    "customer_id": "account",
    "contact_id": "contact",
    "technician_id": "staff",
    "ha1": "secret",
    "penalties": "queues",
}
#: What a name in an entry refers to; any other is a partner.
_REFERS_TO: Final[Mapping[str, Kind]] = {"contact": "contacts", "account": "accounts"}
_SECRET = re.compile(r"[!-~]{10,100}", re.ASCII)


# What there would be ---------------------------------------------------------------------------------


@dataclass
class _World:
    """The directory as it would be, in memory."""

    tables: dict[str, list[Row]]
    #: With what would be removed.
    every: dict[Kind, dict[str, Row]]
    mobiles: dict[str, str]
    others_phones: frozenset[str]
    others_numbers: frozenset[str]
    _indexes: dict[tuple[str, str], dict[Any, list[Row]]] = field(default_factory=dict)

    def find(self, table: str, values: Mapping[str, Any]) -> list[Row]:
        (column, value), *more = values.items()
        index = self._indexes.get((table, column))
        if index is None:
            index = self._indexes[table, column] = {}
            for row in self.tables[table]:
                index.setdefault(row[column], []).append(row)
        found = index.get(value, [])
        if more:
            return [row for row in found if all(row[name] == wanted for name, wanted in more)]
        return found


@dataclass(frozen=True)
class _OfSet(edits.Edit):
    """One entry among all that change: the rules are asked of what there would be."""

    world: _World

    async def rows(self, table: Table, **values: Any) -> list[queries.Row]:
        return cast("list[queries.Row]", self.world.find(table.name, values))

    async def own(self, table: Table, column: str) -> queries.Row:
        kind = next(kind for kind, (one, _) in TABLES.items() if one is table)
        return self.world.every[kind][self.key]

    async def owner_of_mobile(self, mobiles: Sequence[str]) -> str | None:
        owners = (self.world.mobiles.get(mobile) for mobile in mobiles)
        return next((owner for owner in owners if owner is not None and owner != self.key), None)

    async def name_is_taken(self) -> bool:
        return self.key in self.world.others_phones

    async def rings_elsewhere(self, digits: str) -> bool:
        return digits in self.world.others_numbers

    async def staff_on_it(self) -> list[str]:
        phone = self.world.every["phones"][self.key]
        if phone["technician_id"] is None:
            return []
        return [row["key"] for row in self.world.find(t.technicians.name, {"id": phone["technician_id"]})]


def _at_once(rule: Coroutine[Any, Any, T]) -> T:
    """Return what a rule says of a world in memory, where it waits for nothing."""
    try:
        rule.send(None)
    except StopIteration as end:
        return cast(T, end.value)
    raise AssertionError("a rule waits for something that is not in memory")


# The comparison --------------------------------------------------------------------------------------


def plan(there: There, drafts: Drafts, *, provider: str, known: Known, prune: bool = False) -> Plan:
    """Return what the files change. Raises AllBadInput with everything that is wrong with them, by file and row.

    A column that a file lacks leaves what is there as it is; an empty cell empties it. `prune` also removes what a
    list that is given does not have.
    """
    return _Planner(there, drafts, provider, known, prune).plan()


class _Planner:
    def __init__(self, there: There, drafts: Drafts, provider: str, known: Known, prune: bool) -> None:
        self._there, self._drafts, self._provider, self._known, self._prune = there, drafts, provider, known, prune
        self._errors = list(drafts.errors)
        self._plan = Plan(provider=provider, seq=there.seq, notes=list(drafts.notes))
        self._wanted: dict[Kind, dict[str, Draft]] = {kind: {} for kind in KINDS}
        self._people: dict[str, list[Draft]] = {}
        self._entries: dict[Kind, dict[str, AnyEntry]] = {kind: {} for kind in KINDS}
        #: Rows as they would be, of what the files have.
        self._rows: dict[Kind, dict[str, Row]] = {kind: {} for kind in KINDS}
        self._gone: dict[Kind, dict[str, Row]] = {kind: {} for kind in KINDS}
        #: Contacts that go with their account.
        self._along: set[str] = set()
        #: Phones that no file has, on which somebody else is to answer.
        self._moved: dict[str, Row] = {}
        self._temporary = count(-1, -1)
        self._keys_of_ids = {
            kind: {row["id"]: key for key, row in there.rows[kind].items()}
            for kind in ("partners", "accounts", "contacts", "staff")
        }
        self._named: dict[str, dict[Any, list[str]]] = {}
        self._staff_phones = {draft.values.get("phone") for draft in drafts.lists.get("staff", ())}

    def plan(self) -> Plan:
        for kind in KINDS:
            self._take_keys(kind)
        self._take_people()
        if self._prune:
            self._find_gone()
        for kind in KINDS:
            for key, draft in self._wanted[kind].items():
                self._take(kind, key, draft)
        self._put_staff_on_phones()
        self._compare()
        self._check()
        if self._errors:
            raise AllBadInput(sorted(self._errors, key=_place))
        return self._plan

    # Keys

    def _take_keys(self, kind: Kind) -> None:
        column = KEY_COLUMNS.get(kind, "key")
        for draft in self._drafts.lists.get(kind, ()):
            given = draft.values.get(column)
            key: str | None = None
            try:
                if given is not None:
                    key = check_key(kind, given, self._known.region)
                elif column not in draft.bad:
                    key = self._key_by_name(kind, draft)
            except BadInput as error:
                self._errors.append(draft.wrong(column, error.problem, error.mend))
            if key is None:
                # The rest of the row is looked at all the same.
                draft.bad.add(column)
                key = f"\0{draft.row}"
            before = self._wanted[kind].setdefault(key, draft)
            if before is draft:
                continue
            if before.values == draft.values:
                self._plan.notes.append(f"{draft.sheet.file}, row {draft.row}: is row {before.row} again")
            else:
                self._errors.append(
                    draft.wrong(column, f"is in row {before.row} too, which says otherwise", "delete one of the rows")
                )

    def _key_by_name(self, kind: Kind, draft: Draft) -> str | None:
        """The key of who is called so already, or one that is made of the name."""
        name = draft.values.get("name")
        if name is None:
            if not draft.bad:
                self._errors.append(draft.wrong(None, f"names no {ONE_OF[kind]}", "give a key or a name"))
            return None
        account = draft.values.get("account") if kind == "contacts" else None
        there = self._called(kind).get((account, plain(name)), [])
        if len(there) > 1:
            problem = f"is the name of {len(there)}: {', '.join(there[:5])}"
            self._errors.append(draft.wrong("name", problem, "say by its key which is meant"))
            return None
        if there:
            return there[0]
        made = slug(f"{account} {name}" if account is not None else name)
        taken = {*self._there.rows[kind], *self._wanted[kind]}
        key = next(one for one in (made, *(f"{made[:36]}-{n}" for n in range(2, 10_000))) if one not in taken)
        self._called(kind)[account, plain(name)] = [key]
        return key

    def _called(self, kind: Kind) -> dict[Any, list[str]]:
        """Keys by account and plain name, of what is there and of the rows so far."""
        if kind not in self._named:
            self._named[kind] = {}
            for key, row in self._there.rows[kind].items():
                account = None
                if kind == "contacts":
                    account = self._key(kind="accounts", number=row["customer_id"])
                self._named[kind].setdefault((account, plain(row["name"])), []).append(key)
        return self._named[kind]

    def _key(self, kind: Kind, number: int | None) -> str | None:
        if number is not None:
            return self._keys_of_ids[kind].get(number)
        return None

    def _take_people(self) -> None:
        for draft in self._drafts.lists.get("warned", ()):
            partner = draft.values.get("partner")
            if partner is None:
                continue
            key = self._reference("partners", partner, draft, "partner")
            if key is not None:
                self._people.setdefault(key, []).append(draft)
                self._wanted["partners"].setdefault(key, Draft({}, draft.sheet, draft.row))
        if self._prune and "warned" in self._drafts.lists:
            for key, row in self._there.rows["partners"].items():
                stays = key in self._wanted["partners"] or "partners" not in self._drafts.lists
                if stays and row["id"] in self._there.people and key not in self._people:
                    self._people[key] = []
                    sheet = self._drafts.sheets["warned"]
                    self._wanted["partners"].setdefault(key, Draft({}, sheet, 1))

    def _reference(self, kind: Kind, value: str, draft: Draft, column: str, account: str | None = None) -> str | None:
        """The key of what a cell names, by its key or its name."""
        if value in self._wanted[kind] or (value in self._there.rows[kind] and value not in self._gone[kind]):
            return value
        if kind in ("partners", "contacts"):
            named = self._by_name(kind).get((account, plain(value)), ())
            if len(named) == 1:
                return named[0]
            if len(named) > 1:
                problem = f"is the name of {len(named)}: {', '.join(named[:5])}"
                self._errors.append(draft.wrong(column, problem, "say by its key which is meant"))
                return None
        if kind not in self._drafts.unreadable:
            file = f"{kind}.csv"
            problem, mend = f"there is no {ONE_OF[kind]} {value}", f"correct it, or add that one to {file}"
            self._errors.append(draft.wrong(column, problem, mend))
        return None

    def _by_name(self, kind: Kind) -> dict[Any, list[str]]:
        """As `_called`, with what the files call those that have a key."""
        name = f"all {kind}"
        if name not in self._named:
            found = {called: list(keys) for called, keys in self._called(kind).items()}
            for key, draft in self._wanted[kind].items():
                if draft.values.get("name") is not None:
                    account = None
                    if kind == "contacts":
                        account = draft.values.get("account")
                    keys = found.setdefault((account, plain(draft.values["name"])), [])
                    if key not in keys:
                        keys.append(key)
            self._named[name] = found
        return self._named[name]

    def _find_gone(self) -> None:
        for kind in KINDS:
            if kind in self._drafts.lists:
                wanted = self._wanted[kind]
                self._gone[kind] = {key: row for key, row in self._there.rows[kind].items() if key not in wanted}
        # An account's last administrator goes with it, as where a single account is deleted.
        left: dict[int, list[tuple[str, Row]]] = {}
        for key, row in self._there.rows["contacts"].items():
            if key not in self._wanted["contacts"] and key not in self._gone["contacts"]:
                left.setdefault(row["customer_id"], []).append((key, row))
        for row in self._gone["accounts"].values():
            people = left.get(row["id"], [])
            if len(people) == 1 and people[0][1]["kind"] == "administrateur":
                self._gone["contacts"][people[0][0]] = people[0][1]
                self._along.add(people[0][0])

    # Entries

    def _take(self, kind: Kind, key: str, draft: Draft) -> None:
        """Make the row of what a draft says, and of what it leaves as it is."""
        said = dict(draft.values)
        said.pop(KEY_COLUMNS.get(kind, "key"), None)
        secret = said.pop("secret", None)
        if said.pop("shared", False):
            said["contact"] = None
        there = self._there.rows[kind].get(key)
        data = self._before(kind, there, said) if there is not None else {}
        data |= {name: value for name, value in said.items() if value is not None}
        for name in ("partner", "account", "contact"):
            if said.get(name) is not None and not (kind == "staff" and name == "account"):
                of = _REFERS_TO.get(name, "partners")
                account = data.get("account") if name == "contact" else None
                found = self._reference(of, said[name], draft, name, account)
                if found is None:
                    draft.bad.add(name)
                else:
                    data[name] = found
        if key in self._people and kind == "partners":
            data["people"] = [_person(one) for one in self._people[key]]
        owned = any(data.get(name) for name in ("kind", "account", "department"))
        if kind == "phones" and not owned and key in self._staff_phones:
            data["kind"] = "technician"
        # What cannot be used was told; the rest of the row is looked at all the same.
        data |= dict.fromkeys(draft.bad & {"name", "account", "contact", "partner"}, "x")
        try:
            entry = read_entry(kind, data, self._known.region)
        except AllBadInput as error:
            self._errors.extend(
                self._of_cell(kind, key, draft, one) for one in error.errors if one.field.split(".")[0] not in draft.bad
            )
            return
        if draft.bad:
            return
        self._entries[kind][key] = entry
        self._rows[kind][key] = self._row(kind, key, entry, there, secret, draft)

    def _before(self, kind: Kind, there: Row, said: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is there of the columns that the file lacks."""
        fields = ENTRIES[kind].model_fields
        if kind != "partners" and all(name in said for name in fields):
            return {}
        labels = {
            "partner_key": self._key("partners", there.get("partner_id")),
            "contact_key": self._key("contacts", there.get("contact_id")),
            "people": self._there.people.get(there.get("id", 0), []),
        }
        if kind in ("contacts", "numbers", "phones"):
            labels["account"] = self._key("accounts", there["customer_id"])
        if kind == "staff":
            labels["phone"] = self._phone_of(there["id"])
        before = queries.entry_of(kind, there | labels).model_dump(mode="json")
        return {name: value for name, value in before.items() if name not in said and value is not None}

    def _phone_of(self, staff: int) -> str | None:
        if "phones of staff" not in self._named:
            found: dict[Any, list[str]] = {}
            for name, row in self._there.rows["phones"].items():
                if row["technician_id"] is not None:
                    found.setdefault(row["technician_id"], []).append(name)
            self._named["phones of staff"] = found
        return min(self._named["phones of staff"].get(staff, [None]), default=None)  # type: ignore[type-var]

    def _of_cell(self, kind: Kind, key: str, draft: Draft, error: BadInput) -> BadInput:
        """Return what is wrong with a field, as what is wrong with its cell."""
        first, *more = error.field.split(".")
        if kind == "partners" and first == "people" and self._people.get(key):
            people = self._people[key]
            if more and more[0].isdigit() and int(more[0]) < len(people):
                person = people[int(more[0])]
            else:
                person = people[0]
            return person.wrong(more[1] if len(more) > 1 else None, error.problem, error.mend)
        if first in ("e164", "key"):
            first = KEY_COLUMNS.get(kind, "key")
        return draft.wrong(first if first != "body" else None, error.problem, error.mend)

    def _row(self, kind: Kind, key: str, entry: AnyEntry, there: Row | None, secret: str | None, draft: Draft) -> Row:
        table, column = TABLES[kind]
        row: Row = {"provider": self._provider, column: queries.stored_key(kind, key)}
        row |= writers.WRITERS[kind].columns(entry)
        for refers, of in REFERS.items():
            if refers in table.c:
                other = getattr(entry, _FIELDS[refers])
                row[refers] = self._id(of, other) if other is not None else None
        if "id" in table.c:
            row["id"] = there["id"] if there is not None else next(self._temporary)
        if kind == "phones":
            row["technician_id"] = there["technician_id"] if there is not None else None
            row |= self._secret(key, there, secret, draft)
        return row

    def _id(self, kind: Kind, key: str) -> int | None:
        row = self._rows[kind].get(key) or self._there.rows[kind].get(key)
        found: int | None = row["id"] if row is not None else None
        return found

    def _secret(self, name: str, there: Row | None, secret: str | None, draft: Draft) -> Row:
        if secret is not None:
            if not _SECRET.fullmatch(secret) or name in secret or len(set(secret)) < 6:
                problem = "is easily guessed, or has signs that phones do not take"
                mend = "use 10 to 100 letters, digits and signs of ASCII, without the name; or leave it empty"
                self._errors.append(draft.wrong("secret", problem, mend))
            return {"ha1": ha1(name, secret)}
        if there is not None:
            return {"ha1": there["ha1"]}
        made = self._plan.secrets[name] = service.new_secret()
        return {"ha1": ha1(name, made)}

    def _put_staff_on_phones(self) -> None:
        """Say on which phones staff answer, where that is kept: with the phones."""
        answered: dict[str, int] = {}
        for key, entry in self._entries["staff"].items():
            phone = cast(StaffEntry, entry).phone
            if phone is not None:
                # Of two who claim one, the other is told whose it is.
                answered.setdefault(phone, self._rows["staff"][key]["id"])
        of_files = {row["id"] for part in (self._rows, self._gone) for row in part["staff"].values()}
        for name in {*answered, *self._there.rows["phones"]} - self._gone["phones"].keys():
            there = self._there.rows["phones"].get(name)
            before = there["technician_id"] if there is not None else None
            if before is not None and before not in of_files:
                after = before
            else:
                after = answered.get(name)
            if name in self._rows["phones"]:
                self._rows["phones"][name]["technician_id"] = after
            elif there is not None and after != before:
                self._moved[name] = {**there, "technician_id": after}

    # The difference

    def _compare(self) -> None:
        plan = self._plan
        for kind in KINDS:
            same = 0
            for key, row in self._rows[kind].items():
                there = self._there.rows[kind].get(key)
                if there is None:
                    plan.added.setdefault(kind, []).append(row)
                    plan.changes.append(Change(kind, key, "added"))
                    self._note_people(kind, key, row, [])
                    continue
                changed = [name for name, value in row.items() if there[name] != value]
                fields = {_FIELDS.get(name, name) for name in changed}
                if kind == "contacts" and "phones" in fields:
                    fields.discard("phone")
                if kind == "staff":
                    if cast(StaffEntry, self._entries[kind][key]).phone != self._phone_of(there["id"]):
                        fields.add("phone")
                    if "languages" in fields:
                        fields.discard("language")
                fields.discard("staff")
                if self._note_people(kind, key, row, self._there.people.get(row.get("id", 0), [])):
                    fields.add("people")
                if changed:
                    plan.changed.setdefault(kind, []).append(row)
                if fields:
                    plan.changes.append(Change(kind, key, "changed", tuple(sorted(fields))))
                else:
                    same += 1
            plan.unchanged[kind] = same
            for key, row in self._gone[kind].items():
                plan.removed.setdefault(kind, []).append(row)
                plan.changes.append(Change(kind, key, "removed"))
        plan.changed.setdefault("phones", []).extend(self._moved.values())

    def _note_people(self, kind: Kind, key: str, row: Row, before: Sequence[Row]) -> bool:
        """Return whether other people are to be warned at a partner's."""
        if kind != "partners" or key not in self._people:
            return False
        names = ("name", "role", "mobile", "language")
        people = [
            {**one.model_dump(), "mobile": one.mobile.removeprefix("+") if one.mobile else None}
            for one in cast(PartnerEntry, self._entries[kind][key]).people
        ]
        if [{name: one[name] for name in names} for one in before] == people:
            return False
        self._plan.people[row["id"]] = people
        return True

    # The rules

    def _check(self) -> None:
        world = self._world()
        touched = {(one.kind, one.key) for one in self._plan.changes}
        moved = {(one.kind, one.key) for one in self._plan.changes if one.what == "changed"}
        for kind in KINDS:
            rules = writers.WRITERS[kind]
            for key, entry in self._entries[kind].items():
                if (kind, key) not in touched:
                    continue
                draft = self._wanted[kind][key]
                new = key not in self._there.rows[kind]
                problems = list(edits.beyond_desks(kind, key, entry, self._known, new=new))
                _at_once(rules.check(self._edit(key, world), entry, problems))  # type: ignore[arg-type]
                told = self._leaning_on_wrong(kind, entry)
                self._errors.extend(self._of_cell(kind, key, draft, one) for one in problems if one.field not in told)
            for key in self._gone[kind]:
                if kind == "contacts" and key in self._along:
                    continue
                uses: list[str] = _at_once(rules.uses(self._edit(key, world)))  # type: ignore[arg-type]
                if uses:
                    named = ", ".join(uses[:10]) + (f" and {len(uses) - 10} more" if len(uses) > 10 else "")
                    problem, mend = f"would be removed, and is used by {named}", "keep it in the files, or change those"
                    self._errors.append(BadInput(field=f"{ONE_OF[kind]} {key}", problem=problem, mend=mend))
        self._check_untouched(world, touched, moved)
        self._check_administrators()

    def _leaning_on_wrong(self, kind: Kind, entry: AnyEntry) -> set[str]:
        """Its fields that refer to rows that are wrong themselves."""
        others: list[tuple[str, Kind]] = [("partner", "partners"), ("contact", "contacts"), ("phone", "phones")]
        if kind != "staff":
            others.append(("account", "accounts"))
        found = set()
        for name, of in others:
            key = getattr(entry, name, None)
            if key in self._wanted[of] and key not in self._rows[of]:
                found.add(name)
        return found | ({"contact"} if "account" in found else set())

    def _edit(self, key: str, world: _World) -> _OfSet:
        return _OfSet(self._provider, key, None, self._known, world)

    def _world(self) -> _World:
        every: dict[Kind, dict[str, Row]] = {}
        tables: dict[str, list[Row]] = {console_accounts.name: self._there.consoles}
        for kind, (table, _) in TABLES.items():
            every[kind] = {**self._there.rows[kind], **self._rows[kind]}
            if kind == "phones":
                every[kind] |= self._moved
            gone = self._gone[kind]
            tables[table.name] = [row for key, row in every[kind].items() if key not in gone]
        mobiles: dict[str, str] = {}
        for key, row in every["partners"].items():
            people = self._plan.people.get(row["id"], self._there.people.get(row["id"], []))
            if key not in self._gone["partners"]:
                mobiles |= {
                    one["mobile"]: key for one in people if one["mobile"] is not None and one["mobile"] not in mobiles
                }
        return _World(tables, every, mobiles, self._there.others_phones, self._there.others_numbers)

    def _check_untouched(
        self, world: _World, touched: Collection[tuple[Kind, str]], moved: Collection[tuple[Kind, str]]
    ) -> None:
        """What the files leave as it is may refer to what they change."""
        contacts = {row["id"] for key, row in self._rows["contacts"].items() if ("contacts", key) in moved}
        numbers = {row["e164"] for key, row in self._rows["numbers"].items() if ("numbers", key) in touched}
        phones = {key for kind, key in moved if kind == "phones"}
        for kind in ("numbers", "phones", "staff"):
            of: Kind = kind
            for key, row in world.every[of].items():
                if (of, key) in touched or key in self._gone[of]:
                    continue
                refers = (
                    row.get("contact_id") in contacts
                    or row.get("caller_id") in numbers
                    or (kind == "staff" and self._phone_of(row["id"]) in phones)
                )
                if not refers:
                    continue
                entry = self._entries[of].get(key) or self._untouched(of, row)
                problems: list[BadInput] = []
                _at_once(writers.WRITERS[of].check(self._edit(key, world), entry, problems))  # type: ignore[arg-type]
                for one in problems:
                    self._errors.append(
                        BadInput(field=f"{ONE_OF[of]} {key}, {one.field}", problem=one.problem, mend=one.mend)
                    )

    def _untouched(self, kind: Kind, row: Row) -> AnyEntry:
        return read_entry(kind, self._before(kind, row, {}), self._known.region)

    def _check_administrators(self) -> None:
        """An account that has an administrator keeps one (OV-20)."""
        before: dict[int, str] = {}
        for key, row in self._there.rows["contacts"].items():
            if row["kind"] == "administrateur":
                before.setdefault(row["customer_id"], key)
        after = {row["customer_id"] for row in self._rows["contacts"].values() if row["kind"] == "administrateur"}
        for key, row in self._there.rows["contacts"].items():
            untouched = key not in self._rows["contacts"] and key not in self._gone["contacts"]
            if untouched and row["kind"] == "administrateur":
                after.add(row["customer_id"])
        gone = {row["id"] for row in self._gone["accounts"].values()}
        for account, contact in before.items():
            if account in after or account in gone:
                continue
            problem = f"account {self._key('accounts', account)} would have no administrator left (OV-20)"
            mend = "keep one, or make another contact of the account administrateur"
            draft = self._wanted["contacts"].get(contact)
            if draft is not None:
                self._errors.append(draft.wrong("kind", problem, mend))
            else:
                self._errors.append(BadInput(field=f"contact {contact}", problem=problem, mend=mend))


def _person(draft: Draft) -> dict[str, Any]:
    return {name: value for name, value in draft.values.items() if name != "partner" and value is not None}


def _place(error: BadInput) -> tuple[str, int]:
    return str(error.facts.get("file") or "~"), cast(int, error.facts.get("row") or 0)

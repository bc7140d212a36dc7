"""The directory's forms: which fields each kind of entry has, and what a form that was sent says. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import urlencode

from starlette.datastructures import FormData

from ivr.directory.desk_references import Known
from ivr.directory.entries import CODECS, KEY_FIELDS, LANGUAGES, AnyEntry, Kind
from ivr.directory.model import WARNED_ROLES
from ivr.numbers.calling_rights import RIGHTS

Widget = Literal["line", "area", "choice", "checks", "lines", "ranked", "people", "telephone", "number"]

#: How many empty rows a partner's form has for more people.
_MORE_PEOPLE: Final = 2
_PERSON: Final = ("name", "role", "mobile", "language")


@dataclass(frozen=True, kw_only=True)
class Input:
    """One field of a form. `label` is a word of the console's; `hint` too, beside the field."""

    name: str
    widget: Widget = "line"
    label: str
    required: bool = False
    hint: str | None = None
    #: For choices and checks: values, by their names.
    choices: Sequence[str] = ()
    #: Where the names of what may be typed are offered, as a kind of entry.
    offers: Kind | None = None


def inputs_of(kind: Kind, known: Known) -> tuple[Input, ...]:
    """The fields of a kind's form, without its key."""
    languages = known.languages or LANGUAGES
    language = Input(name="language", label="language", widget="choice", choices=languages)
    name = Input(name="name", label="full_name", required=True)
    account = Input(name="account", label="account_number", required=True, offers="accounts")
    contact = Input(name="contact", label="contact", offers="contacts", hint="contact_hint")
    email = Input(name="email", label="email")
    phone = Input(name="phone", label="telephone", widget="telephone")
    forms: Mapping[Kind, tuple[Input, ...]] = {
        "partners": (
            name,
            Input(name="tier", label="tier", widget="choice", choices=("standard", "elite"), required=True),
            phone,
            email,
            Input(name="portal", label="portal_address"),
            language,
            Input(name="people", label="warned", widget="people", choices=WARNED_ROLES),
        ),
        "accounts": (
            name,
            Input(name="address", label="address", widget="area"),
            phone,
            Input(name="partner", label="partner", offers="partners"),
            language,
            Input(name="desk", label="desk_name", widget="choice", choices=known.desks),
            Input(name="dial_rights", label="dial_rights", widget="checks", choices=RIGHTS),
        ),
        "contacts": (
            account,
            name,
            Input(
                name="kind",
                label="contact_kind",
                widget="choice",
                choices=("administrateur", "facturation", "utilisateur"),
                required=True,
            ),
            Input(name="phones", label="telephones", widget="lines", hint="one_a_line"),
            email,
            language,
            Input(name="rights", label="contact_rights", widget="lines", hint="contact_rights_hint"),
        ),
        "numbers": (account, contact),
        "phones": (
            Input(
                name="kind",
                label="kind",
                widget="choice",
                choices=("customer", "technician", "department"),
                required=True,
            ),
            Input(name="account", label="account_number", offers="accounts", hint="phone_account_hint"),
            contact,
            Input(name="department", label="department", widget="choice", choices=tuple(known.departments)),
            Input(name="display", label="display"),
            Input(name="caller_id", label="caller_id", widget="telephone"),
            language,
            Input(name="codecs", label="codecs", widget="checks", choices=CODECS),
            Input(name="transport", label="transport", widget="choice", choices=("udp", "tcp")),
            Input(name="mac", label="mac", hint="mac_hint"),
            Input(name="call_limit", label="call_limit", widget="number"),
            Input(name="devices", label="devices", widget="number", required=True),
        ),
        "staff": (
            name,
            Input(name="phone", label="phone", offers="phones", hint="staff_phone_hint"),
            Input(name="external_number", label="external_number", widget="telephone", hint="external_hint"),
            Input(name="queues", label="queues", widget="ranked", choices=known.queues, hint="penalty_hint"),
            Input(name="languages", label="languages", widget="ranked", choices=languages),
            Input(name="skills", label="skills", widget="lines", hint="one_a_line"),
            Input(name="account", label="console_account"),
        ),
    }
    return forms[kind]


def labels_of(kind: Kind, inputs: Sequence[Input]) -> Mapping[str, str]:
    """The words for a kind's fields, its key among them, by what errors call them."""
    key = {"accounts": "account_number", "numbers": "number", "phones": "phone"}.get(kind, "key")
    return {one.name: one.label for one in inputs} | {KEY_FIELDS.get(kind, "key"): key, "key": key}


def defaults_of(kind: Kind) -> dict[str, Any]:
    """Return what a form for a new entry holds before anything is typed."""
    begun: Mapping[Kind, dict[str, Any]] = {
        "partners": {"tier": "standard"},
        "accounts": {"dial_rights": ["local", "toll-free", "national"]},
        "contacts": {"kind": "utilisateur"},
        "phones": {"kind": "customer", "devices": 2},
    }
    return dict(begun.get(kind, {}))


def shown(entry: AnyEntry) -> dict[str, Any]:
    """Return what a form for an entry holds."""
    values = entry.model_dump(mode="json")
    for name in ("queues", "languages"):
        if name in values:
            values[name] = [_ranked(one, name.removesuffix("s")) for one in values[name]]
    return values


def _ranked(one: Any, field: str) -> dict[str, Any]:
    return {field: one, "penalty": 0} if isinstance(one, str) else one


def given(form: FormData, inputs: Sequence[Input]) -> dict[str, Any]:
    """Return what a form says, as `read_entry` takes it. What is left empty is left out."""
    values: dict[str, Any] = {}
    for one in inputs:
        value = _value(form, one)
        if value not in ("", [], None):
            values[one.name] = value
    return values


def _value(form: FormData, one: Input) -> Any:
    text = _text(form, one.name)
    match one.widget:
        case "checks":
            return [str(value) for value in form.getlist(one.name)]
        case "lines":
            return [line.strip() for line in text.replace("\r", "").split("\n") if line.strip()]
        case "ranked":
            field = one.name.removesuffix("s")
            return [
                {field: str(value), "penalty": _text(form, f"{one.name}_penalty_{value}") or 0}
                for value in form.getlist(one.name)
            ]
        case "people":
            return _people(form)
        case "area":
            # An address is one line to whoever prints it.
            return ", ".join(line.strip() for line in text.replace("\r", "").split("\n") if line.strip())
    return text


def _text(form: FormData, name: str) -> str:
    value = form.get(name, "")
    return value.strip() if isinstance(value, str) else ""


def _people(form: FormData) -> list[dict[str, str]]:
    found = []
    for number in range(200):
        names = {part: f"people.{number}.{part}" for part in _PERSON}
        if not any(name in form for name in names.values()):
            break
        person = {part: _text(form, name) for part, name in names.items()}
        # A row without a name and a number is an empty one, whatever its choices stand at.
        if person["name"] or person["mobile"]:
            found.append({part: value for part, value in person.items() if value})
    return found


def rows_of_people(values: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """A partner's people, with empty rows for more."""
    return [*values.get("people", ()), *({} for _ in range(_MORE_PEOPLE))]


def differences(
    now: Mapping[str, Any], typed: Mapping[str, Any], inputs: Sequence[Input]
) -> list[tuple[str, str, str]]:
    """Label, what is there now and what was typed, of each field in which they differ."""
    found = []
    for one in inputs:
        there, here = _plain(now.get(one.name)), _plain(typed.get(one.name))
        if there != here:
            found.append((one.label, there, here))
    return found


def _plain(value: Any) -> str:
    """A value as one line."""
    if isinstance(value, Mapping):
        parts = [str(part) for name, part in value.items() if part not in (None, "") and name != "penalty"]
        return " ".join(parts) + (f" ({value['penalty']})" if value.get("penalty") else "")
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_plain(one) for one in value)
    return "" if value is None else str(value)


def query(**named: str) -> str:
    """Return what follows the question mark of an address."""
    return urlencode(named)

"""The console's words, French first, and what each role finds in its menu."""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from ivr import wording
from ivr.accounts.model import Role
from ivr.typography import typeset, typeset_all

#: What each language calls itself.
LANGUAGES = wording.text("languages.own_name")


def _typeset(language: str, texts: Mapping[str, str]) -> Mapping[str, str]:
    """French signs stay on the line of their word."""
    if language == "fr":
        return typeset_all(texts)
    return texts


def _of(*tables: Mapping[str, Mapping[str, str]]) -> Mapping[str, Mapping[str, str]]:
    """One table of several, by language."""
    every = {language: dict(ChainMap(*(dict(one[language]) for one in reversed(tables)))) for language in LANGUAGES}
    return {language: _typeset(language, table) for language, table in every.items()}


WORDS = _of(
    wording.texts("console.words"),
    wording.texts("console_directory.words"),
    wording.texts("console_desk.words"),
)
#: What happened to a ticket; "" for what is not told.
NOTED = wording.texts("console.noted")
VALUES = wording.texts("console.values")
_PLACES = wording.texts("console.places")
_COLUMNS = wording.texts("console.columns")
#: Of what is said in English everywhere else: what is wrong with a form, and what was done.
SAID = wording.translations("console_translated.said")
BEGINS = wording.translations("console_translated.begins")
INVALID = wording.translations("console_translated.invalid")
ACTIONS = wording.translations("console_translated.actions")

#: What each role finds in its menu, by the word of its page.
_PAGES: Mapping[Role, tuple[str, ...]] = {
    "technician": ("desk", "board", "tickets", "mails", "traces", "menu_picture"),
    "ops": ("board", "tickets", "mails", "incidents", "maintenances", "announcements", "traces", "menu_picture"),
    "manager": ("board", "tickets", "mails", "incidents", "maintenances", "traces", "reports", "menu_picture"),
    "administrator": (
        "board",
        "tickets",
        "mails",
        "incidents",
        "maintenances",
        "announcements",
        "traces",
        "menu_picture",
        "reports",
        "directory",
        "accounts",
        "tokens",
        "warned",
        "audit",
    ),
    "partner": ("portal",),
}
_PATHS = {"menu_picture": "menu"}


def navigation(role: Role | None, language: str) -> list[tuple[str, str]]:
    """Addresses and names of a role's pages."""
    names = _PAGES[role] if role is not None else ()
    return [(f"/console/{_PATHS.get(name, name)}", WORDS[language][name]) for name in names]


def said(language: str, text: str) -> str:
    """Return what is wrong with a form, or what to do about it, in words as far as there are any."""
    if language == wording.SOURCE:
        return text
    for begins, translated in BEGINS[language].items():
        if text.startswith(begins):
            return typeset(translated + _requoted(language, text.removeprefix(begins)))
    return typeset(SAID[language].get(text, text))


def _requoted(language: str, rest: str) -> str:
    """Put what somebody wrote between quotation marks."""
    written = rest[:1] == rest[-1:] == "'"
    if written:
        return _PLACES[language]["quoted"].format(text=rest[1:-1])
    return rest


def done(language: str, action: str) -> str:
    """Return what was done, as the audit says it; `action` is its English name."""
    return ACTIONS[language].get(action, action)


def invalid(language: str, kind: str, message: str, facts: Mapping[str, object]) -> str:
    """Return what is wrong with a value that is not of its field's kind."""
    if kind in INVALID[language]:
        return typeset(INVALID[language][kind].format_map(facts))
    return said(language, message.removeprefix("Value error, "))


#: Fields whose word in forms is another one's.
_CALLED = {
    "accounts": "account_number",
    "at": "when",
    "endpoint": "phone",
    "numbers": "number",
    "partners": "partner",
    "new": "new_password",
    "old": "old_password",
    "texts": "text",
    "title": "incident_title",
}
#: Fields that are called as in forms.
_AS_IN_FORMS = {
    *("account_name", "account_number", "account_phone", "attempted", "code", "ends_at", "expected", "impact", "kind"),
    *("language", "level", "mac", "mobile", "month", "name", "observed", "partner", "password", "phone", "priority"),
    *("reason", "requester_email", "requester_name", "requester_phone", "role", "service", "services", "solution"),
    *("stage", "starts_at", "status", "text"),
}


#: A cell of an imported list, as in `accounts.csv, row 3, column nom`.
_CELL = re.compile(r"(.+), row ([0-9]+)(?:, column (.+))?")
#: What the directory calls what still uses an entry, as in `phone 6001`, by the word for it.
_USERS = {
    "member of staff": "one_of_staff",
    "console account": "console_account",
    "partner": "partner",
    "account": "account_number_short",
    "contact": "contact",
    "number": "number",
    "phone": "phone",
    "department": "department",
}


def uses(language: str, named: Iterable[str]) -> str:
    """Return what still uses an entry of the directory."""
    return ", ".join(use(language, one) for one in named)


def use(language: str, named: str) -> str:
    """One of what still uses an entry, as in `phone 6001`."""
    for begins, word in _USERS.items():
        if named.startswith(f"{begins} "):
            return f"{WORDS[language][word].lower()} {named.removeprefix(begins).strip()}"
    return named


def place(language: str, field: str, labels: Mapping[str, str] = MappingProxyType({})) -> str:
    """Return where in a form or in a file something is wrong, in words as far as there are any.

    `labels` are what a form calls its own fields.
    """
    if (cell := _CELL.fullmatch(field)) is not None:
        where = _PLACES[language]["cell_column" if cell[3] else "cell"]
        return where.format(file=cell[1], row=cell[2], column=cell[3])
    own, _, rest = field.partition(".")
    if own in labels:
        number = rest.partition(".")[0]
        if number.isdecimal():
            return f"{labels[own]} {int(number) + 1}"
        return labels[own]
    if field.startswith("line "):
        line, _, column = field.removeprefix("line ").partition(", ")
        where = _PLACES[language]["line_column" if column else "line"]
        return where.format(line=line, column=_COLUMNS[language].get(column, column))
    word = WORDS[language]
    # As in texts.fr, text_fr, affected.numbers.2 and details.start.
    name, _, part = field.removeprefix("form.").removeprefix("affected.").partition(".")
    for spoken in LANGUAGES:
        if name.endswith(f"_{spoken}"):
            name, part = name.removesuffix(f"_{spoken}"), spoken
    if name == "details":
        return word.get(f"details_{part}", field)
    if name not in _CALLED and name not in _AS_IN_FORMS:
        return field
    if part.isdecimal():
        return f"{word[_CALLED.get(name, name)]} {int(part) + 1}"
    return word[_CALLED.get(name, name)] + (f" ({word[f'language_{part}']})" if part in LANGUAGES else "")


def desk_field(language: str, path: str) -> str:
    """A field of a desk file, as in hours.monday.0, in words as far as there are any."""
    word = WORDS[language]
    return " · ".join(
        str(int(one) + 1) if one.isdecimal() else word.get(f"desk_field_{one}", one) for one in path.split(".")
    )


def other(language: str) -> tuple[str, str]:
    """The language to switch to, and what it calls itself."""
    name = next(one for one in LANGUAGES if one != language)
    return name, LANGUAGES[name]

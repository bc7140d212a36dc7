"""The console's words, French first, and what each role finds in its menu."""

from __future__ import annotations

from collections.abc import Mapping

from api.console.words import en, fr
from ivr.accounts.account import Role
from ivr.written import typeset

#: What each language calls itself.
LANGUAGES: Mapping[str, str] = {"fr": "Français", "en": "English"}
WORDS: Mapping[str, Mapping[str, str]] = {
    "fr": {name: typeset(text) for name, text in fr.WORDS.items()},
    "en": en.WORDS,
}
VALUES: Mapping[str, Mapping[str, str]] = {"fr": fr.VALUES, "en": en.VALUES}

#: What each role finds in its menu, by the word of its page.
_PAGES: Mapping[Role, tuple[str, ...]] = {
    "technician": ("desk", "board", "tickets", "traces", "menu_picture"),
    "ops": ("board", "tickets", "incidents", "maintenances", "announcements", "traces", "menu_picture"),
    "manager": ("board", "tickets", "incidents", "maintenances", "traces", "reports", "menu_picture"),
    "administrator": (
        "board",
        "tickets",
        "incidents",
        "maintenances",
        "announcements",
        "traces",
        "menu_picture",
        "reports",
        "accounts",
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
    """What is wrong with a form, or what to do about it, as far as there are words for it."""
    if language != "fr":
        return text
    for begins, french in fr.BEGINS.items():
        if text.startswith(begins):
            return typeset(french) + text.removeprefix(begins)
    return typeset(fr.SAID.get(text, text))


def place(language: str, field: str) -> str:
    """Where in a file something is wrong, in words."""
    if language == "fr" and field.startswith("line "):
        line, _, column = field.removeprefix("line ").partition(", ")
        return f"ligne {line}" + (f", {fr.COLUMNS.get(column, column)}" if column else "")
    return field


def other(language: str) -> tuple[str, str]:
    """The language to switch to, and what it calls itself."""
    name = next(one for one in LANGUAGES if one != language)
    return name, LANGUAGES[name]

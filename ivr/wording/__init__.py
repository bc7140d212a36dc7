"""What people read, in one folder per language: e-mails, text messages, status page, reports and console.

`fr/FEATURE.yaml` and `en/FEATURE.yaml` hold the same names. A third language is a third folder. Texts that are spoken
stand beside the voices (`ivr/prompts/texts`); rules of grammar, as of dates and numbers, are code.
"""

from __future__ import annotations

import string
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from ivr.errors import OmnivigilError

_FOLDER: Final = Path(__file__).parent
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

#: French first: what every other language is compared with, and what is read where a language is not known.
FIRST: Final = "fr"
LANGUAGES: Final = (FIRST, *sorted({path.parent.name for path in _FOLDER.glob("??/*.yaml")} - {FIRST}))

#: The language of messages that `translations` are of.
SOURCE: Final = "en"


class BadWording(OmnivigilError):
    """A text that people read lacks a language, a placeholder or its use."""


def texts(path: str, names: Collection[str] | None = None) -> Mapping[str, Mapping[str, str]]:
    """Return a table of texts by language, then by name; `path` is `feature` or `feature.table`.

    `names` are those that the code uses, where it is known from a type. Raises BadWording when a language has other
    names or placeholders than French, or when `names` are others.
    """
    found = {language: _table(language, path) for language in _checked(path)}
    if names is not None and set(names) != set(found[FIRST]):
        problem = sorted(set(names) ^ set(found[FIRST]))
        raise BadWording(problem="texts and code name different things", path=path, names=problem)
    return found


def text(path: str) -> Mapping[str, str]:
    """Return one text by language; `path` is `feature.name`. Raises BadWording as `texts`."""
    table, _, name = path.rpartition(".")
    return {language: found[name] for language, found in texts(table).items()}


def translations(path: str) -> Mapping[str, Mapping[str, str]]:
    """Return a table by language of texts whose English is their name; English itself has none. No KeyError for it."""
    others = [language for language in LANGUAGES if language != SOURCE]
    found = {language: _table(language, path) for language in others}
    _compare(path, found)
    return {SOURCE: {}, **found}


def known(language: str | None) -> str:
    """Return the language, or French for one that there are no texts in."""
    if language in LANGUAGES:
        return language
    return FIRST


def check() -> None:
    """Read every file. Raises BadWording when one is missing in a language or differs in names or placeholders."""
    features = {language: {path.stem for path in (_FOLDER / language).glob("*.yaml")} for language in LANGUAGES}
    for feature in sorted(set().union(*features.values())):
        if feature.endswith("_translated"):
            _compare(feature, {one: dict(_flat(_file(one, feature))) for one in LANGUAGES if one != SOURCE})
        else:
            _checked(feature)


def placeholders(value: str) -> frozenset[str]:
    """Return the names in braces that `str.format` fills, without attributes and formats."""
    return frozenset(name for _, name, _, _ in string.Formatter().parse(value) if name is not None)


@cache
def _checked(path: str) -> tuple[str, ...]:
    feature = path.partition(".")[0]
    _compare(feature, {language: dict(_flat(_file(language, feature))) for language in LANGUAGES})
    return LANGUAGES


def _compare(path: str, found: Mapping[str, Mapping[str, str]]) -> None:
    first = found[FIRST]
    for language, table in found.items():
        if odd := sorted(set(first) ^ set(table)):
            raise BadWording(problem="a language lacks texts, or has more", path=path, language=language, names=odd)
        for name, value in table.items():
            if placeholders(value) != placeholders(first[name]):
                raise BadWording(problem="a text has other placeholders", path=path, language=language, names=[name])


def _table(language: str, path: str) -> Mapping[str, str]:
    feature, *inner = path.split(".")
    found = _file(language, feature)
    for name in inner:
        found = found[name]
    return {name: value for name, value in found.items() if isinstance(value, str)}


def _flat(found: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    for name, value in found.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


@cache
def _file(language: str, feature: str) -> Any:
    file = _FOLDER / language / f"{feature}.yaml"
    try:
        found = yaml.load(file.read_text(encoding="utf-8"), _Loader)  # noqa: S506 - a safe loader
    except FileNotFoundError:
        raise BadWording(problem="a language has no such file", path=feature, language=language) from None
    _only_texts(found, feature, language)
    return found


def _only_texts(found: object, feature: str, language: str) -> None:
    if not isinstance(found, dict):
        raise BadWording(problem="not a table of texts", path=feature, language=language)
    for name, value in found.items():
        if isinstance(value, dict):
            _only_texts(value, feature, language)
        elif not (isinstance(name, str) and isinstance(value, str)):
            # Without quotation marks YAML takes « yes », « no » and numbers for something else.
            raise BadWording(problem="quotation marks are missing", path=feature, language=language, names=[name])

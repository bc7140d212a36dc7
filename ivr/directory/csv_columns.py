"""The lists of the directory: their files, their columns, and what people call these. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from ivr.directory import csv_cells
from ivr.lists.sheets import plain


def _said(value: Any) -> str:
    if value is None:
        return ""
    return str(value)


@dataclass(frozen=True)
class Column:
    """One column: its name, as in the API; the other names that people give it, the first in French; how it is read."""

    name: str
    called: tuple[str, ...]
    read: Callable[[str], Any] = csv_cells.text
    write: Callable[[Any], str] = _said
    #: The same rows cannot be told apart, or not be made, without it.
    required: bool = False
    #: What stands in it in the template.
    example: str = ""


def _number(name: str, *called: str, **more: Any) -> Column:
    return Column(name, called, read=csv_cells.telephone, write=csv_cells.written_number_or_none, **more)


def _choice(name: str, *called: str, known: Mapping[str, str], **more: Any) -> Column:
    return Column(name, called, read=partial(csv_cells.choice, known=known), **more)


def _choices(name: str, *called: str, known: Mapping[str, str], **more: Any) -> Column:
    return Column(name, called, read=partial(csv_cells.choices, known=known), write=csv_cells.in_list, **more)


def _name(name: str, *called: str, **more: Any) -> Column:
    return Column(name, called, read=csv_cells.name, **more)


def _language(**more: Any) -> Column:
    return _choice("language", "langue", known=csv_cells.LANGUAGES, **more)


@dataclass(frozen=True)
class List:
    """One list. `kind` is the entries' as in the API, but for `warned`, whose rows belong to their partners."""

    kind: str
    #: Names of its file without the ending, plain; the first is ours.
    files: tuple[str, ...]
    columns: tuple[Column, ...]
    #: Rows of the template beside the columns' examples.
    examples: tuple[Mapping[str, str], ...] = ()

    @property
    def file(self) -> str:
        """The name of the file that we write."""
        return f"{self.kind}.csv"

    def column(self, name: str) -> Column:
        """A column by its name."""
        return next(one for one in self.columns if one.name == name)


LISTS: tuple[List, ...] = (
    List(
        "partners",
        ("partners", "partenaires", "revendeurs", "resellers"),
        (
            _name("key", "clé", "code", "partner", "partenaire", "id", example="boreal"),
            Column("name", ("nom", "raison sociale"), required=True, example="Réseaux Boréal"),
            _choice("tier", "palier", "niveau", known=csv_cells.TIERS, example="elite"),
            _number("phone", "téléphone", "telephone", "tel", example="+1 418 555-0151"),
            Column("email", ("courriel", "e-mail", "mail", "adresse de courriel"), example="soutien@boreal.example"),
            Column("portal", ("portail", "url"), example="https://boreal.example/billets"),
            _language(example="fr"),
        ),
    ),
    List(
        "warned",
        ("warned", "avertis", "personnes a avertir", "people to warn", "partners warned"),
        (
            _name("partner", "partenaire", "revendeur", required=True, example="boreal"),
            Column("name", ("nom", "personne"), required=True, example="Sylvie Gagné"),
            _choice("role", "rôle", "fonction", known=csv_cells.WARNED_ROLES, required=True, example="administrateur"),
            _number("mobile", "cellulaire", "mobile phone", "téléphone", "phone", "number", example="+1 418 555-0161"),
            _language(example="fr"),
        ),
    ),
    List(
        "accounts",
        ("accounts", "comptes", "clients", "customers"),
        (
            _name(
                "key",
                "compte",
                "account",
                "numéro de compte",
                "no de compte",
                "account number",
                "clé",
                "client",
                "no client",
                required=True,
                example="C-1001",
            ),
            Column(
                "name", ("nom", "raison sociale", "company", "entreprise"), required=True, example="Clinique du Cap"
            ),
            Column("address", ("adresse",), read=csv_cells.lines, example="120, rue du Cap, Québec"),
            _number("phone", "téléphone", "telephone", "tel", example="+1 418 555-0101"),
            _name("partner", "partenaire", "revendeur", "reseller", example="boreal"),
            _language(example="fr"),
            _name("desk", "ligne", "line"),
            _choices(
                "dial_rights",
                "droits d’appel",
                "appels permis",
                known=csv_cells.DIAL_RIGHTS,
                example="local, toll-free, national",
            ),
        ),
    ),
    List(
        "contacts",
        ("contacts", "personnes", "people"),
        (
            _name("key", "clé", "code", "contact", "id", example="julie-tremblay"),
            _name("account", "compte", "numéro de compte", "no de compte", "client", required=True, example="C-1001"),
            Column("name", ("nom", "nom complet", "full name", "personne"), required=True, example="Julie Tremblay"),
            _choice(
                "kind",
                "genre",
                "rôle",
                "role",
                "type",
                "fonction",
                known=csv_cells.CONTACT_KINDS,
                example="administrateur",
            ),
            Column(
                "phones",
                ("téléphones", "téléphone", "phone", "numéros", "numbers", "tel", "cellulaire"),
                read=csv_cells.telephones,
                write=csv_cells.written_numbers,
                example="+1 418 555-0101",
            ),
            Column("email", ("courriel", "e-mail", "mail", "adresse de courriel"), example="julie@clinique.example"),
            _language(example="fr"),
            Column("rights", ("droits", "peut demander"), read=csv_cells.items, write=csv_cells.in_list),
        ),
    ),
    List(
        "numbers",
        ("numbers", "numeros", "dids", "sda"),
        (
            _number(
                "number", "numéro", "e164", "téléphone", "phone", "did", "key", required=True, example="+1 418 555-0101"
            ),
            _name("account", "compte", "numéro de compte", "no de compte", "client", required=True, example="C-1001"),
            _name("contact", "personne", "person", example="julie-tremblay"),
        ),
    ),
    List(
        "phones",
        ("phones", "telephones", "postes", "endpoints", "appareils"),
        (
            _name("name", "poste", "nom", "compte sip", "sip", "key", "extension", required=True, example="6001"),
            _choice("kind", "genre", "type", known=csv_cells.PHONE_KINDS, example="customer"),
            _name("account", "compte", "numéro de compte", "no de compte", "client", example="C-1001"),
            _name("contact", "personne", "person", example="julie-tremblay"),
            _name("department", "service", "département"),
            _language(),
            _number("caller_id", "afficheur", "numéro affiché", "number", example="+1 418 555-0101"),
            Column("display", ("nom affiché", "display name"), example="Julie Tremblay"),
            Column("codecs", ("codec",), read=csv_cells.items, write=csv_cells.in_list),
            Column("transport", ("protocole",)),
            Column("call_limit", ("appels simultanés", "appels", "calls"), read=csv_cells.count),
            Column("devices", ("appareils",), read=csv_cells.count, example="2"),
            Column("mac", ("adresse mac", "mac address")),
            Column("secret", ("mot de passe", "password", "passe")),
        ),
        ({"name": "7001", "kind": "technician", "devices": "2"},),
    ),
    List(
        "staff",
        ("staff", "technicians", "techniciens", "personnel", "equipe", "team"),
        (
            _name("key", "clé", "code", "id", example="nadia"),
            Column("name", ("nom", "technicien", "technician"), required=True, example="Nadia Roy"),
            _name("phone", "poste", "téléphone", "extension", example="7001"),
            _number("external_number", "numéro externe", "cellulaire", "mobile"),
            Column(
                "queues",
                ("files", "file", "queue"),
                read=partial(csv_cells.weighted, of="queue"),
                write=partial(csv_cells.written_weights, of="queue"),
                example="support",
            ),
            Column(
                "languages",
                ("langues", "langue", "language"),
                read=partial(csv_cells.weighted, of="language", known=csv_cells.LANGUAGES),
                write=partial(csv_cells.written_weights, of="language"),
                example="fr, en:1",
            ),
            Column("skills", ("compétences",), read=csv_cells.items, write=csv_cells.in_list),
            _name("account", "compte console", "console", "console account", "compte"),
        ),
    ),
)
BY_KIND: Mapping[str, List] = {one.kind: one for one in LISTS}


@cache
def headings(kind: str) -> dict[str, str]:
    """Return what the columns of a list are called, plain, and their names; ours win."""
    columns = BY_KIND[kind].columns
    known = {plain(called): one.name for one in reversed(columns) for called in reversed(one.called)}
    return known | {plain(one.name): one.name for one in columns}


def kind_of(file: str) -> str | None:
    """The list that a file holds, by its name; None when it is none of ours."""
    stem = plain(file.rpartition("/")[2].rpartition(".")[0] or file)
    return next((one.kind for one in LISTS if stem in one.files), None)

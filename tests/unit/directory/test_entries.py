"""What entries may say, and what is told of what they may not."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ivr.directory.entries import ENTRIES, KINDS, RESERVED_PHONES, AnyEntry, Kind, check_key, read_entry
from ivr.directory.model import slug
from ivr.directory.queries import etag_of
from ivr.directory.service import merged, new_secret
from ivr.errors import AllBadInput, BadInput

#: One good entry of each kind, with every field.
GOOD: Mapping[Kind, Mapping[str, Any]] = {
    "partners": {
        "name": "Réseaux Boréal",
        "tier": "elite",
        "phone": "418 555-0151",
        "email": "soutien@boreal.example",
        "portal": "https://portail.example/x?y=1",
        "language": "fr",
        "people": [{"name": "Sylvie", "role": "administrateur", "mobile": "4185550161", "language": "fr"}],
    },
    "accounts": {
        "name": "Essai inc.",
        "address": "1, rue A, Québec",
        "phone": "+14185550188",
        "partner": "boreal",
        "language": "en",
        "desk": "omnivigil",
        "dial_rights": ["local", "toll-free"],
    },
    "contacts": {
        "account": "C-9",
        "name": "Julie",
        "kind": "administrateur",
        "phones": ["(418) 555-0188", "+33 1 44 55 66 77"],
        "email": "julie@essai.example",
        "language": "fr",
        "rights": ["transfer"],
    },
    "numbers": {"account": "C-9", "contact": "julie"},
    "phones": {
        "kind": "customer",
        "account": "C-9",
        "contact": "julie",
        "language": "fr",
        "caller_id": "4185550188",
        "display": "Accueil",
        "codecs": ["ulaw"],
        "transport": "tcp",
        "call_limit": 2,
        "devices": 3,
    },
    "staff": {
        "name": "Nadia",
        "phone": "7900",
        "queues": ["support", {"queue": "hl-cloud", "penalty": 2}],
        "languages": ["fr"],
        "skills": ["voip"],
        "account": "nadia",
    },
}
#: The machine may do other things meanwhile.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
HOSTILE = (
    "a\r\nExploit: 1",
    "a\nb",
    "a\x00b",
    "a\x1bb",
    "a\u202eb",
    "a\u2028b",
    "a\ud800b",
    "",
    "   ",
    "x" * 501,
)
#: What is no danger by itself, and is kept as it is.
ODD = ('L’Étoile, "Chez Paul"', "${SHELL(id)}", "=1+1", "'; DROP TABLE x; --", "😀 inc.", "<script>", "a;b|c", "אבג")


def fields_of(told: AllBadInput) -> set[str]:
    assert all(one.problem and one.mend for one in told.errors)
    return {one.field for one in told.errors}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_good_is_taken_and_comes_back_as_it_was(kind: Kind) -> None:
    entry = read_entry(kind, GOOD[kind])
    told = entry.model_dump(mode="json")
    assert read_entry(kind, told) == entry
    assert set(told) == set(ENTRIES[kind].model_fields)
    assert etag_of(kind, "main", "x", entry) == etag_of(kind, "main", "x", read_entry(kind, told))


def test_numbers_are_of_the_country_that_is_told() -> None:
    assert read_entry("contacts", GOOD["contacts"]).model_dump()["phones"] == ("+14185550188", "+33144556677")
    french = read_entry("contacts", {"account": "C-9", "name": "Zoé", "phones": ["01\u00a044\u201155 66 77"]}, "FR")
    assert french.model_dump()["phones"] == ("+33144556677",)
    assert check_key("numbers", "(418) 555-0188") == "+14185550188"


@pytest.mark.parametrize(("kind", "field"), [(kind, "name") for kind in ("partners", "accounts", "contacts", "staff")])
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_are_refused_by_their_field(kind: Kind, field: str, text: str) -> None:
    with pytest.raises(AllBadInput) as told:
        read_entry(kind, {**GOOD[kind], field: text})
    assert fields_of(told.value) == {field}


@pytest.mark.parametrize("text", ODD)
def test_odd_names_are_names(text: str) -> None:
    for kind, field in (("partners", "name"), ("accounts", "address"), ("phones", "display")):
        entry = read_entry(kind, {**GOOD[kind], field: text})  # type: ignore[arg-type,index]
        assert getattr(entry, field) == text


@pytest.mark.parametrize("text", [*HOSTILE[:6], *ODD, "x" * 300])
def test_in_every_other_field_they_are_refused(text: str) -> None:
    for kind in KINDS:
        for field in set(GOOD[kind]) - {"name", "address", "display", "role"}:
            given = [text] if isinstance(GOOD[kind][field], list) else text
            if (kind, field) == ("staff", "account") and text in ODD:
                continue
            with pytest.raises(AllBadInput) as told:
                read_entry(kind, {**GOOD[kind], field: given})
            assert all(one.partition(".")[0] == field for one in fields_of(told.value)), (kind, field)


@pytest.mark.parametrize(
    ("kind", "change", "field"),
    [
        ("accounts", {"dial_rights": ["local", "local"]}, "dial_rights"),
        ("accounts", {"dial_rights": ["premium"]}, "dial_rights.0"),
        ("contacts", {"phones": ["4185550188", "+1 418 555-0188"]}, "phones"),
        ("contacts", {"phones": ["911"]}, "phones.0"),
        ("partners", {"portal": "javascript:alert(1)"}, "portal"),
        ("partners", {"portal": "https://a.example/<x>"}, "portal"),
        ("partners", {"people": [{"name": "S", "role": "x", "mobile": "1"}]}, "people.0.mobile"),
        ("partners", {"people": [{"name": n, "role": "x", "mobile": "4185550161"} for n in "ST"]}, "people"),
        ("phones", {"kind": "technician"}, "account"),
        ("phones", {"kind": None, "account": None, "contact": None}, "kind"),
        ("phones", {"account": None}, "account"),
        ("phones", {"department": "ventes"}, "department"),
        ("phones", {"devices": 11}, "devices"),
        ("phones", {"call_limit": 0}, "call_limit"),
        ("phones", {"transport": "tls"}, "transport"),
        ("staff", {"external_number": "4185550188"}, "external_number"),
        ("staff", {"phone": None}, "phone"),
        ("staff", {"queues": ["support", {"queue": "support", "penalty": 1}]}, "queues"),
        ("staff", {"queues": [{"queue": "support", "penalty": -1}]}, "queues.0.penalty"),
        ("staff", {"languages": ["de"]}, "languages.0.language"),
        ("staff", {"colour": "red"}, "colour"),
    ],
)
def test_what_does_not_fit_together_is_told(kind: Kind, change: Mapping[str, Any], field: str) -> None:
    with pytest.raises(AllBadInput) as told:
        read_entry(kind, {**GOOD[kind], **change})
    assert fields_of(told.value) == {field}, told.value


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("partners", "Boréal"),
        ("partners", "-x"),
        ("partners", "x" * 61),
        ("accounts", "-1"),
        ("accounts", "a/b"),
        ("accounts", "a "),
        ("accounts", "x" * 41),
        ("numbers", "611"),
        ("numbers", "+1418555018"),
        ("phones", "6"),
        ("phones", "6001,1"),
        ("phones", "_6XXX"),
        ("phones", "a-b"),
        ("phones", "911"),
        ("phones", "x" * 41),
        *(("phones", name) for name in sorted(RESERVED_PHONES)),
    ],
)
def test_keys_that_would_mean_something_else(kind: Kind, key: str) -> None:
    with pytest.raises(BadInput) as told:
        check_key(kind, key)
    assert told.value.mend


def nasty() -> st.SearchStrategy[Any]:
    texts = st.text(max_size=30) | st.sampled_from([*HOSTILE, *ODD, "fr", "support", "C-9", "4185550188"])
    plain = texts | st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False)
    return st.recursive(plain, lambda some: st.lists(some, max_size=3) | st.dictionaries(texts, some, max_size=3))


@UNHURRIED
@given(data=st.data())
def test_whatever_is_given_is_an_entry_or_named_by_its_field(data: st.DataObject) -> None:
    kind: Kind = data.draw(st.sampled_from(KINDS))
    fields = st.sampled_from([*GOOD[kind], "colour"])
    given = {**GOOD[kind], **data.draw(st.dictionaries(fields, nasty(), max_size=3))}
    body = data.draw(st.one_of(st.just(given), nasty()))
    try:
        entry = read_entry(kind, body)
    except AllBadInput as told:
        fields_of(told)
        return
    assert read_entry(kind, entry.model_dump(mode="json")) == entry
    for text in _texts(entry.model_dump(mode="json")):
        assert not any(unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") for sign in text)
        assert not set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069") & set(text)
        assert len(text) <= 500


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for one in value.values() for text in _texts(one)]
    if isinstance(value, list | tuple):
        return [text for one in value for text in _texts(one)]
    return [value] if isinstance(value, str) else []


@UNHURRIED
@given(target=nasty(), changes=nasty())
def test_rfc7396_a_merge_patch_that_is_applied_again_changes_nothing(target: Any, changes: Any) -> None:
    once = merged(target, changes)
    assert merged(once, changes) == once


def test_rfc7396_its_own_examples() -> None:
    for target, patch, result in (
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ):
        assert merged(target, patch) == result


@UNHURRIED
@given(text=st.text(max_size=100))
def test_a_slug_is_always_a_key(text: str) -> None:
    assert check_key("partners", slug(text)) == slug(text)
    assert len(slug(text)) <= 40


def test_secrets_have_116_bits_and_no_signs_that_need_quoting() -> None:
    made = {new_secret() for _ in range(100)}
    assert len(made) == 100
    assert all(len(one) == 20 and one.isalnum() for one in made)


def test_an_entity_tag_is_of_the_whole_entry_and_of_whose_it_is() -> None:
    def tag(provider: str, key: str, **change: Any) -> str:
        entry: AnyEntry = read_entry("accounts", {**GOOD["accounts"], **change})
        return etag_of("accounts", provider, key, entry)

    tags = {
        tag("main", "C-9"),
        tag("autre", "C-9"),
        tag("main", "C-10"),
        *(tag("main", "C-9", **{field: None}) for field in ("address", "phone", "partner", "language", "desk")),
    }
    assert len(tags) == 8

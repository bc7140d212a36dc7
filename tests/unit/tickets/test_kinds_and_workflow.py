"""What makes a ticket documented, and which step follows which."""

from __future__ import annotations

import itertools
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.errors import BadInput
from ivr.tickets.kinds import KINDS, missing
from ivr.tickets.model import DONE, WAITING, Status
from ivr.tickets.service_requests import DETAILS
from ivr.tickets.workflow import ANSWERS, NEXT, allowed, check_step
from tests.unit.tickets.conftest import ticket

WHO = {"requester_name": "Julie", "requester_email": "julie@clinique.example", "account_name": "Clinique du Cap"}
PROBLEM = WHO | {
    "service": "Messagerie vocale",
    "observed": "Le voyant ne s’allume pas.",
    "examples": [{"date": "2026-11-17"}, {"time": "09:30"}],
    "expected": "Il s’allume.",
    "impact": "one",
    "attempted": "Redémarrage.",
}


def lacks(kind: str, **fields: Any) -> list[str]:
    return [one.field for one in missing(vars(ticket(kind=kind, **fields)))]


class TestDocumented:
    def test_ov12_a_problem_needs_all_of_it(self) -> None:
        assert lacks("problem") == [
            "requester_name",
            "requester_phone",
            "account_number",
            "service",
            "observed",
            "examples",
            "expected",
            "impact",
            "attempted",
        ]
        assert lacks("problem", **PROBLEM) == []

    @pytest.mark.parametrize("name", sorted(PROBLEM))
    def test_ov12_each_part_is_needed(self, name: str) -> None:
        assert len(lacks("problem", **(PROBLEM | {name: None}))) == 1

    def test_ov12_the_mac_address_when_a_device_is_affected(self) -> None:
        assert lacks("device", **PROBLEM) == ["mac"]
        assert lacks("device", **PROBLEM, mac="00:15:65:a1:b2:c3") == []

    @pytest.mark.parametrize(
        ("examples", "enough"),
        [
            ([], False),
            ([{"number": "1"}], False),
            ([{"number": "1"}, {"number": None, "date": None}], False),
            ([{"number": "1"}, {"date": "2026-11-17"}], True),
        ],
    )
    def test_ov12_two_examples_with_something_in_them(self, examples: list[dict[str, Any]], enough: bool) -> None:
        assert (lacks("problem", **(PROBLEM | {"examples": examples})) == []) is enough

    def test_a_telephone_or_an_email_will_do(self) -> None:
        [needed] = missing(vars(ticket(kind="problem", **(PROBLEM | {"requester_email": None}))))
        assert (needed.field, needed.instead) == ("requester_phone", ("requester_email",))
        assert "e-mail" in needed.mend

    def test_ov30_what_an_intervention_must_tell(self) -> None:
        assert lacks("planned-intervention", **WHO) == [
            "account_number",
            "requester_phone",
            "details.start",
            "details.work",
            "details.description",
            "details.help",
        ]

    def test_a_kind_that_nobody_knows_needs_what_a_request_does(self) -> None:
        assert lacks("something-new") == lacks("request")

    def test_every_detail_that_is_needed_can_be_given(self) -> None:
        for kind, parts in KINDS.items():
            for part in itertools.chain.from_iterable(one.fields for one in parts):
                if part.startswith("details."):
                    assert part.removeprefix("details.") in DETAILS[kind].model_fields, (kind, part)

    @given(st.dictionaries(st.sampled_from(sorted(PROBLEM)), st.just(None)))
    def test_more_knowledge_never_makes_it_less_documented(self, gone: dict[str, None]) -> None:
        assert set(lacks("problem", **PROBLEM)) <= set(lacks("problem", **(PROBLEM | gone)))


def step(before: Status, after: Status, **given: Any) -> None:
    check_step(before, after, **({"missing": [], "reason": "r", "solution": "s"} | given))


class TestLife:
    def test_every_status_is_left_and_only_documented_ones_are_not_returned_to(self) -> None:
        assert set(NEXT) == set(get_args(Status))
        reached = set().union(*NEXT.values())
        assert set(get_args(Status)) - reached == {"new"}

    @pytest.mark.parametrize(("before", "after"), list(itertools.product(get_args(Status), repeat=2)))
    def test_what_is_not_in_the_table_is_refused_with_what_is(self, before: Status, after: Status) -> None:
        if after in NEXT[before]:
            step(before, after)
            return
        with pytest.raises(BadInput) as refused:
            step(before, after)
        assert refused.value.field == "status"
        assert refused.value.mend == f"give one of {', '.join(allowed(before))}"

    def test_what_is_done_is_only_opened_again(self) -> None:
        assert allowed("closed") == ["reopened"]
        assert allowed("resolved") == ["closed", "reopened"]

    def test_ov12_documented_when_nothing_is_missing(self) -> None:
        lacking = missing(vars(ticket(kind="request")))
        with pytest.raises(BadInput, match="requester_name"):
            step("new", "documented", missing=lacking)
        step("new", "documented")

    @pytest.mark.parametrize("before", ["new", "in-progress", *WAITING, "reopened"])
    def test_ov19_resolving_asks_for_a_solution(self, before: Status) -> None:
        for nothing in (None, ""):
            with pytest.raises(BadInput) as refused:
                step(before, "resolved", solution=nothing)
            assert refused.value.field == "solution"
        step(before, "resolved", reason=None)

    def test_closing_without_a_solution_and_reopening_ask_for_a_reason(self) -> None:
        for before, after in (("new", "closed"), ("in-progress", "closed"), ("closed", "reopened")):
            with pytest.raises(BadInput) as refused:
                step(before, after, reason=None)  # type: ignore[arg-type]
            assert refused.value.field == "reason"
        step("resolved", "closed", reason=None, solution=None)

    def test_ov14_closing_is_no_answer(self) -> None:
        assert not ANSWERS & {"new", "documented", "reopened", "closed"}
        assert set(DONE) & ANSWERS == {"resolved"}


def test_a_list_of_numbers_is_known_as_one_of_examples_is() -> None:
    """OV-31: numbers are texts, examples hold parts."""
    lacking = {one.field for one in missing({"kind": "transfer", "details": {"numbers": ["418 555-0101"]}})}
    assert "details.numbers" not in lacking
    assert "details.transfer_to" in lacking

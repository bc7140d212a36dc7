"""The parts of a desk file about tickets and the night: what cannot work is refused with line, field and mend."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.desk.load import BUILT_IN, DeskError, load_desk


@pytest.mark.parametrize(
    ("was", "becomes", "field", "mend"),
    [
        ('"1": {tmr: {warning_min: 60,', '"1": {tmr: {warning_min: 120,', "tickets.levels.1.tmr", ""),
        ('"1": {tmr: {warning_min: 60,', '"1": {tmr: {warning_min: -1,', "tickets.levels.1.tmr.warning_min", ""),
        ('"1": {tmr', '"5": {tmr', "tickets.levels.5", ""),
        ("      transfer: service", "      transfer: nobody", "tickets.routing.departments.transfer", "use one of"),
        ("    contacts: [administrateur", "    contacts: [patron", "tickets.asking.contacts.0", ""),
        ("elite_ring_s: 25", "elite_ring_s: 1", "tickets.routing.elite_ring_s", ""),
        (
            "level_without_partner: 2",
            "level_without_partner: 7",
            "tickets.routing.to_partner.level_without_partner",
            "",
        ),
        ("    - rma", "    - RMA", "tickets.services.7", "lower-case"),
        ("turns: [annie, luc]", "turns: [annie, personne]", "oncall", ""),
        ('phone: "14185550161"', 'phone: "12"', "oncall.people.annie.phone", "15 digits"),
        ("manager_after_min: 20", "manager_after_min: 30", "oncall.manager_after_min", ""),
        ("first_turn: 2026-01-05", "first_turn: lundi", "oncall.first_turn", ""),
        ("  every_min: 5", "  every_minute: 5", "oncall.every_minute", "did you mean every_min"),
    ],
)
def test_what_cannot_work_is_refused(tmp_path: Path, was: str, becomes: str, field: str, mend: str) -> None:
    text = (BUILT_IN / "omnivigil.yaml").read_text(encoding="utf-8")
    assert text.count(was) == 1
    file = tmp_path / "omnivigil.yaml"
    file.write_text(text.replace(was, becomes), encoding="utf-8")
    line = text[: text.index(was)].count("\n") + 1
    with pytest.raises(DeskError) as refused:
        load_desk(file)
    assert refused.value.field == field
    assert mend in refused.value.mend
    assert abs(refused.value.line - line) <= 12

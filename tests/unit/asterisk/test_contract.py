"""Dialplan, service and document say the same of variables, events and files; what is written is read back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.asterisk.contract import (
    CDR_COLUMNS,
    DIALPLAN_ONLY,
    FIELDS,
    KINDS,
    STEP_VARIABLES,
    BegunCall,
    LastCall,
    MessageFile,
    NextStep,
    Told,
    TraceFile,
    UserField,
    Variable,
    Whom,
    assignment,
    caller_note,
    cdr_line,
    cdr_rows,
    fields_of,
    number_in,
    put_through_at,
)
from tests.rendering import Rendered, book, no_runtime

REPOSITORY = Path(__file__).parents[3]
ARCHITECTURE = (REPOSITORY / "docs/architecture.md").read_text("utf-8")
VARIABLES = {name.value for name in Variable}
_NAME = re.compile(r"(?<![A-Za-z0-9])_{0,2}(OV_[A-Z_]+[A-Z])")


@pytest.fixture(scope="module")
def configuration(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Every file by its name, with all that can be switched on."""
    state = tmp_path_factory.mktemp("state")
    rendered = Rendered(state, no_runtime(state))
    phones = [f"600{at}" for at in range(6)]
    rendered.write(book(phones, ["Éloïse"], [("local",), ()]), record_calls=True)
    return {path.name: path.read_text("utf-8") for path in rendered.etc.glob("*.conf")}


# ---- Names -----------------------------------------------------------------------------------------


def test_every_variable_of_the_dialplan_is_in_the_contract(configuration: dict[str, str]) -> None:
    """And the other way round: none of the contract is gone from the dialplan."""
    named = {name for text in configuration.values() for name in _NAME.findall(text)}
    assert named == VARIABLES | DIALPLAN_ONLY
    assert not VARIABLES & DIALPLAN_ONLY


def test_no_branch_of_the_templates_names_another() -> None:
    text = "".join(path.read_text("utf-8") for path in (REPOSITORY / "dialplan").glob("*.j2"))
    assert set(_NAME.findall(text)) == VARIABLES | DIALPLAN_ONLY


def test_the_service_spells_no_variable_by_itself() -> None:
    folders = (REPOSITORY / name for name in ("ivr", "agi_scripts", "api"))
    spelled = {
        str(path.relative_to(REPOSITORY))
        for folder in folders
        for path in folder.rglob("*.py")
        if re.search(r"[\"'](__)?OV_[A-Z]", path.read_text("utf-8"))
    }
    assert spelled == {"ivr/asterisk/contract.py"}


def test_the_document_tells_what_crosses_the_border() -> None:
    table = ARCHITECTURE.partition("### Variables")[2].partition("`OV_NEXT` by conversation")[0]
    rows = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `OV_")]
    assert {name for row in rows for name in _NAME.findall(row)} == VARIABLES


def test_the_document_tells_what_is_the_dialplans_own() -> None:
    rest = ARCHITECTURE.partition("The rest are the dialplan's own.")[2].partition("### Conversations")[0]
    assert set(_NAME.findall(rest)) - {"OV_NEXT"} == DIALPLAN_ONLY


# ---- OV_NEXT ---------------------------------------------------------------------------------------

WORD = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=12)
STEPS = st.builds(
    NextStep,
    kind=st.sampled_from(KINDS),
    language=st.sampled_from(["fr", "en"]),
    department=WORD,
    target=WORD | st.just("PJSIP/7001&Local/15145550100@x-outside/n"),
    seconds=st.integers(0, 86_400),
    urgent=st.booleans(),
    call_id=WORD,
    position=st.none() | st.integers(1, 999),
)


@given(STEPS)
def test_a_step_is_read_as_it_was_written(step: NextStep) -> None:
    assert NextStep.read(step.text()) == step


def test_a_partner_comes_last() -> None:
    step = NextStep(
        kind="partner",
        language="fr",
        department="support",
        target="support",
        seconds=600,
        call_id="ab",
        partner="PJSIP/7001",
        partner_s=20,
    )
    assert step.text() == "partner,fr,support,support,600,ordinary,ab,,PJSIP/7001,20"
    assert NextStep.read(step.text()) == step


def test_a_comma_does_not_shift_a_step() -> None:
    with pytest.raises(ValueError, match="comma"):
        NextStep(kind="queue", language="fr", department="a,b", target="q", seconds=1, call_id="x").text()
    with pytest.raises(ValueError, match="comma"):
        Whom(way="phone", name="7001,7002").text()
    with pytest.raises(ValueError, match="OV_DESK"):
        assignment(Variable.DESK, "a,OV_FULL=yes")


@pytest.mark.parametrize("text", ["", "done", "dance,fr,a,b,1,ordinary,x,", "queue,fr,a,b,1,soon,x,"])
def test_what_is_no_step_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a step"):
        NextStep.read(text)


def test_the_dialplan_takes_a_step_apart_in_this_order(configuration: dict[str, str]) -> None:
    (names,) = re.findall(r"^\s*same => n,Set\(ARRAY\((OV_KIND[^)]*)\)=", configuration["extensions.conf"], re.M)
    assert tuple(names.split(",")) == STEP_VARIABLES


def test_the_dialplan_carries_out_every_kind(configuration: dict[str, str]) -> None:
    asked = re.findall(r'"\$\{OV_KIND\}" = "(\w+)"', configuration["extensions.conf"])
    assert set(asked) == set(KINDS)


@pytest.mark.parametrize("whom", [Whom(way="phone", name="6001"), Whom(way="outside", name="15145550100")])
def test_whom_to_dial_is_read_as_it_was_written(whom: Whom) -> None:
    assert Whom.read(whom.text()) == whom
    with pytest.raises(ValueError, match="nobody"):
        Whom.read("carrier pigeon,1")


# ---- Events ----------------------------------------------------------------------------------------


def test_the_dialplan_tells_these_events_and_no_other_field(configuration: dict[str, str]) -> None:
    told: dict[str, set[str]] = {}
    for name, rest in re.findall(r"UserEvent\((\w+),(.*)\)$", configuration["extensions.conf"], re.M):
        told.setdefault(name, set()).update(re.findall(r"(?:^|,)(\w+): ", rest))
        if "${OV_WHO}" in rest:
            # [admission] has put « Account: » or « Source: » there.
            told[name] |= {"Account", "Source"}
    assert told == {name.value: set(fields) for name, fields in FIELDS.items()}


def test_fields_of_an_event() -> None:
    event = {"event": "UserEvent", "userevent": "OvTransfer", "step": "begun", "to": "sales"}
    assert fields_of(event, Told.TRANSFER) == {"step": "begun", "by": "", "to": "sales"}
    assert fields_of(event, Told.LEG) is None


# ---- Files -----------------------------------------------------------------------------------------


def _written(configuration: dict[str, str], begins: str) -> list[str]:
    """The expressions of one file's text, in order, each without what it is cut down to."""
    (text,) = re.findall(rf"{re.escape(begins)}(.*)\)$", configuration["extensions.conf"], re.M)
    return re.split(r"[|]", text)


def test_a_message_bears_the_name_that_is_read(configuration: dict[str, str]) -> None:
    (name,) = re.findall(r"Set\(OV_FILE=\S+/([^/\n]*)\)$", configuration["extensions.conf"], re.M)
    values = {"DESK": "omnivigil", "DEPARTMENT": "support", "LANGUAGE": "fr", "URGENCY": "unasked"}
    stem = re.sub(r"\$\{OV_(\w+)\}", lambda found: values[found[1]], name).replace("${UNIQUEID}", "ov-1.2")
    expected = MessageFile(desk="omnivigil", department="support", language="fr", urgency="unasked", uniqueid="ov-1.2")
    assert MessageFile.read(stem) == expected
    assert expected.stem() == stem
    assert MessageFile.read("holiday-photos") is None


def test_a_name_of_an_earlier_version_has_the_number() -> None:
    found = MessageFile.read("omnivigil_support_fr_urgent_15145550100_ov-1.2")
    assert found is not None
    assert found.number == "15145550100"
    assert MessageFile.read(found.stem()) == found


def test_a_note_beside_a_message_has_the_number(configuration: dict[str, str]) -> None:
    assert f"Set(OV_CALLER={caller_note('${FILTER(0-9,')}" in configuration["extensions.conf"]
    assert number_in(caller_note("15145550100")) == "15145550100"
    assert number_in(caller_note("")) == ""


LAST = LastCall(
    ended=1_764_000_000,
    linkedid="ov-1.1",
    uniqueid="ov-1.2",
    call_id="abc@192.0.2.1",
    codec="ulaw",
    remote="192.0.2.1:4000",
    their_number="15145550100",
    device="192.0.2.1:5060",
    figures="ssrc=1;lp=0|1",
)


def test_the_last_call_of_a_phone(configuration: dict[str, str]) -> None:
    parts = _written(configuration, "Set(DB(ov/${OV_PHONE})=")
    assert parts[0] == "${EPOCH}"
    assert len(parts) == len(LAST.text().split("|", 8)) == 9
    assert LastCall.read(LAST.text()) == LAST
    assert LastCall.read("yesterday|x") is None


def test_the_device_is_the_eighth_part_of_a_last_call(configuration: dict[str, str]) -> None:
    """The dialplan itself looks for it there, and for the end in the first."""
    asked = re.findall(r"CUT\(OV_(?:LAST|OTHER),\|,(\d)\)", configuration["extensions.conf"])
    assert set(asked) == {"1", "8"}
    assert LAST.text().split("|")[7] == LAST.device


def test_a_report_without_the_service(configuration: dict[str, str]) -> None:
    report = TraceFile(phone="6001", report_id="ov-9.1", at=1_764_000_100, reference="12345678", last=LAST.text())
    assert TraceFile.read(report.text() + "\n") == report
    assert TraceFile.read("v2|6001") is None
    parts = _written(configuration, "Set(OV_REPORT=")
    assert parts == ["v1", "${CHANNEL(endpoint)}", "${UNIQUEID}", "${EPOCH}", "${OV_REFERENCE}", "${OV_LAST}"]


def test_a_call_as_it_begins(configuration: dict[str, str]) -> None:
    call = BegunCall(
        uniqueid="ov-1.1", channel="PJSIP/trunk-1", began=1_764_000_000, desk="omnivigil", number="+15145550100"
    )
    assert BegunCall.read(call.text()) == call
    assert BegunCall.read("ov-1.1|PJSIP/trunk-1|now|omnivigil|") is None
    parts = re.search(r"begun\.csv,,,al,u\)=(.*)\)$", configuration["extensions.conf"], re.M)
    assert parts is not None
    assert len(parts[1].split("|")) == len(call.text().split("|"))


def test_a_customer_put_through(configuration: dict[str, str]) -> None:
    written = re.findall(r"put-through/\$\{OV_CALLBACK\},,,,u\)=(.*)\)$", configuration["extensions.conf"], re.M)
    assert set(written) == {"${EPOCH}"}
    assert put_through_at("1764000000\n") == 1_764_000_000
    assert put_through_at("soon") is None


def test_asterisks_own_record_has_these_columns(configuration: dict[str, str]) -> None:
    assert tuple(re.findall(r"CDR\((\w+)\)", configuration["cdr_custom.conf"])) == CDR_COLUMNS
    values = dict.fromkeys(CDR_COLUMNS, 'a "quoted", value')
    assert list(cdr_rows(cdr_line(values))) == [values]
    assert list(cdr_rows('"half","a line"')) == []


@pytest.mark.parametrize(
    "field",
    [
        UserField(desk="omnivigil"),
        UserField(desk="omnivigil", department="support"),
        UserField(desk="omnivigil", department="support", call_id="ab"),
    ],
)
def test_the_field_of_asterisks_record_that_is_ours(field: UserField) -> None:
    assert UserField.read(field.text()) == field


def test_the_dialplan_writes_that_field(configuration: dict[str, str]) -> None:
    written = re.findall(r"Set\(CDR\(userfield\)=(.*)\)$", configuration["extensions.conf"], re.M)
    assert set(written) == {
        "omnivigil",
        "${OV_DESK}/${OV_DEPARTMENT}/${OV_CALL}",
        "omnivigil/${OV_DEPARTMENT}/${OV_CALL}",
    }


# ---- What the operator reads -----------------------------------------------------------------------


def _extensions(text: str) -> dict[tuple[str, str], list[str]]:
    """The steps of each extension, by context and extension."""
    found: dict[tuple[str, str], list[str]] = {}
    context, extension = "", ""
    for line in text.splitlines():
        if section := re.fullmatch(r"\[(\S+)\]", line):
            context = section[1]
        elif first := re.fullmatch(r"exten => (\S+),1,(.+)", line):
            extension = first[1]
            found[context, extension] = [first[2]]
        elif step := re.fullmatch(r" same => n(?:\(\w[\w-]*\))?,(.+)", line):
            found[context, extension].append(step[1])
    return found


def test_every_branch_of_the_dialplan_tells_its_name(configuration: dict[str, str]) -> None:
    """In fixed words: nothing that a caller says or dials is in them. A branch of one step needs none."""
    branches = {key: steps for key, steps in _extensions(configuration["extensions.conf"]).items() if len(steps) > 1}
    assert len(branches) > 60
    silent = {key: steps[0] for key, steps in branches.items() if not re.fullmatch(_TOLD, steps[0])}
    assert silent == {}


_TOLD = r"Verbose\(3,[A-Z][\w *'-]+: [\w *'-]+\)"


@pytest.mark.parametrize("template", sorted((REPOSITORY / "dialplan").glob("*.j2")), ids=lambda path: path.name)
def test_lines_of_the_templates_are_not_long(template: Path) -> None:
    assert [line for line in template.read_text("utf-8").splitlines() if len(line) > 120] == []

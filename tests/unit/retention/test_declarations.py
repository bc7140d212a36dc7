"""Every table says how long it keeps what is personal (Quebec's Law 25), and whose a row is where it names somebody."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from sqlalchemy import JSON, String, Table

from ivr.desk.schema import Keeping
from ivr.migrations.schema import metadata
from ivr.personal_data import DECLARED
from ivr.retention.declarations import PersonalData, Retention

#: Names of columns that hold a person, or what a person said.
PERSONAL = re.compile(
    r"^(.*_)?(ani|caller|number|numbers|phone|phones|mobile|e164|e?mail|address|sender|recipient|identity|endpoint|who|by"
    r"|asked_by|name|contact|body|subject|text|texts|transcript|observed|expected|attempted|answer|ip)$"
)
#: Columns of that name that hold no person, by table.
OF_NOBODY = {"ticket_spans": {"ticket_number"}, "ticket_alarms": {"ticket_number"}}


def personal(table: Table) -> set[str]:
    """Return the columns of a table that look as if they held a person."""
    texts = (column.name for column in table.c if isinstance(column.type, String | JSON))
    return {name for name in texts if PERSONAL.match(name)} - OF_NOBODY.get(table.name, set())


def test_every_table_is_declared_once() -> None:
    said = [one.table.name for one in DECLARED.tables]
    said += [table.name for feature in DECLARED.features for table in feature.impersonal]
    assert [name for name, count in Counter(said).items() if count > 1] == []
    assert sorted(said) == sorted(metadata.tables)


@pytest.mark.parametrize(
    "table", [table for feature in DECLARED.features for table in feature.impersonal], ids=lambda table: str(table.name)
)
def test_a_table_that_is_called_impersonal_has_no_personal_column(table: Table) -> None:
    assert personal(table) == set()


@pytest.mark.parametrize("one", DECLARED.tables, ids=lambda one: str(one.table.name))
def test_a_declaration_is_whole(one: Retention) -> None:
    """It has one limit, a setting that there is; its columns exist; its rows go, stay or are forgotten."""
    assert (one.keep is None) != (one.rule is None)
    assert one.keep is None or one.keep in Keeping.model_fields
    assert {*one.whose, *((one.by,) if one.forget and not one.forgotten_with else ())} <= set(one.table.c.keys())
    for belongs in one.belongs:
        assert belongs.column in one.table.c
        assert belongs.key in metadata.tables[belongs.table].c
    assert not (one.secret and one.whose)
    if one.whose:
        assert sum((one.forget is not None, one.deleted, one.stays is not None)) == 1, "what erases a person there?"
    assert one.forgotten_with is None or one.forgotten_with in {each.table.name for each in DECLARED.tables}


def settings_of(feature: PersonalData) -> set[str]:
    """Return the settings by which a feature sweeps."""
    return {
        *(sweep.keep for sweep in feature.sweeps if sweep.keep is not None),
        *(sweep.keep for sweep in feature.desk_sweeps),
        *(sweep.keep for sweep in feature.file_sweeps),
        *(sweep.keep for sweep in feature.stray_sweeps),
    }


def test_what_is_swept_is_kept_by_a_setting_that_there_is() -> None:
    for feature in DECLARED.features:
        assert settings_of(feature) <= set(Keeping.model_fields)


def test_each_setting_is_used_by_the_feature_that_names_it() -> None:
    """A table that is kept for days is in a feature that sweeps by that setting, or goes with another's rows."""
    for feature in DECLARED.features:
        swept = settings_of(feature)
        for one in feature.tables:
            with_others = one.forgotten_with is not None or one.table.name in ("page_calls", "caller_languages")
            assert one.keep is None or with_others or one.keep in swept, one.table.name

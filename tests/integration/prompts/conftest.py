"""The embedded voice, from the runtime that `./omnivigil up` unpacks."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ivr.asterisk import runtime
from ivr.asterisk.runtime import Runtime
from ivr.desk.hours import Calendar, calendars_of
from ivr.desk.load import Desks, load_desks
from ivr.prompts.build import BuildReport, Sounds
from ivr.prompts.catalog import Catalog
from ivr.prompts.engines import Pico, Voices

REPOSITORY = Path(__file__).parents[3]
#: A Wednesday at 10:00 in Toronto.
NOW = datetime(2026, 3, 11, 14, tzinfo=UTC)


@pytest.fixture(scope="session")
def found() -> Runtime:
    """OMNIVIGIL_RUNTIME, else the one that `./omnivigil test` has unpacked; RuntimeMissing tells the mend."""
    named = os.environ.get("OMNIVIGIL_RUNTIME")
    folders = [Path(named)] if named else [REPOSITORY / "var" / "runtime", REPOSITORY / "var" / "runtime-dev"]
    return runtime.find(folders)


@pytest.fixture(scope="session")
def pico(found: Runtime) -> Pico:
    return Pico(found.pico_library, found.pico_languages)


@pytest.fixture(scope="session")
def desks() -> Desks:
    return load_desks()


@pytest.fixture(scope="session")
def calendars(desks: Desks) -> Mapping[str, Mapping[str, Calendar]]:
    return {desk.id: calendars_of(desk) for desk in desks.values()}


class ShippedLine:
    """The desks that come with the product, spoken by the embedded voice."""

    def __init__(
        self,
        folder: Path,
        cache: Path,
        found: Runtime,
        pico: Pico,
        desks: Desks,
        calendars: Mapping[str, Mapping[str, Calendar]],
    ) -> None:
        self.folder = folder
        self._cache = cache
        self._found, self._pico, self._desks, self._calendars = found, pico, desks, calendars

    def sounds(self) -> Sounds:
        return Sounds(
            folder=self.folder,
            cache=self._cache,
            catalog=Catalog(self._desks),
            voices=Voices([self._pico]),
            core_sounds=self._found.core_sounds,
            languages=["en", "fr"],
        )

    def build(self) -> BuildReport:
        return self.sounds().build(self._calendars, NOW)


@pytest.fixture(scope="session")
def line(
    tmp_path_factory: pytest.TempPathFactory,
    found: Runtime,
    pico: Pico,
    desks: Desks,
    calendars: Mapping[str, Mapping[str, Calendar]],
) -> ShippedLine:
    """Built once, whichever of the processes that test side by side comes first."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    line = ShippedLine(tmp_path_factory.mktemp("shipped"), shared / "shipped-cache", found, pico, desks, calendars)
    with (shared / "shipped-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        line.build()
    return line

"""The desk files, reloaded by the console's button; what is wrong with them is on every page."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import cast

import pytest

from api.deps import DeskFiles
from ivr.desk.changes import Change
from ivr.desk_reload import NotReloaded, Outcome
from tests.integration.api.conftest import NOW, Line
from tests.integration.console.conftest import Browsers


@dataclass
class Files:
    """Desk files of which one field differs."""

    problem: str | None = None
    last: Outcome | None = None
    asked: list[tuple[str, bool]] = field(default_factory=list)

    async def reload(self, *, by: str, check: bool = False) -> Outcome:
        self.asked.append((by, check))
        if self.problem is not None:
            raise NotReloaded(field="desks", problem=self.problem, mend="correct it")
        change = Change(desk="omnivigil", field="menu.keys.1", before="<b>", after="support")
        self.last = Outcome(at=NOW, by=by, changes=(change,), warnings=("a doubt",), in_force=not check)
        return self.last


@pytest.fixture
def files(line: Line) -> Files:
    """Behind the API."""
    found = Files()
    assert line.app is not None
    line.app.state.services = replace(line.services, desk_files=cast(DeskFiles, found))
    return found


async def test_the_button_reloads_and_a_problem_is_on_every_page_of_staff(files: Files, browser: Browsers) -> None:
    ops = await browser("ops")
    assert "Recharger" in (await ops.get("/console/menu")).text
    assert (await ops.post("/console/menu/reload", check="true")).status_code == 303
    page = (await ops.get("/console/menu")).text
    assert "omnivigil: menu.keys.1: &lt;b&gt; → support" in page
    assert "a doubt" in page
    assert (await ops.post("/console/menu/reload", check="false")).status_code == 303
    assert files.asked == [("ops", True), ("ops", False)]

    files.problem = "omnivigil.yaml:12: <i>"
    assert (await ops.post("/console/menu/reload", check="false")).status_code == 422
    for path in ("/console/board", "/console/tickets"):
        assert "omnivigil.yaml:12: &lt;i&gt;" in (await ops.get(path)).text
    technician = await browser("annie")
    assert "omnivigil.yaml:12" in (await technician.get("/console/menu")).text
    assert "/console/menu/reload" not in (await technician.get("/console/menu")).text
    assert (await technician.post("/console/menu/reload", check="false")).status_code == 403
    partner = await browser("boreal")
    assert "omnivigil.yaml" not in (await partner.get("/console/portal")).text

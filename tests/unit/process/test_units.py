"""The units for systemd, and what is said of each alarm."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).parents[3]
UNITS = sorted((REPOSITORY / "deploy" / "systemd").glob("*.service"))


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_finds_nothing_wrong(unit: Path, tmp_path: Path) -> None:
    """With the programs where this checkout has them."""
    here = tmp_path / unit.name
    here.write_text(unit.read_text().replace("/opt/omnivigil/", f"{REPOSITORY}/"))
    done = subprocess.run(["systemd-analyze", "verify", str(here)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_unit_is_watched_started_again_and_kept_from_what_it_does_not_need() -> None:
    assert len(UNITS) == 3
    for unit in UNITS:
        said = unit.read_text()
        for wanted in ("Type=notify", "WatchdogSec=", "Restart=always", "NoNewPrivileges=yes", "ProtectSystem=strict"):
            assert wanted in said, f"{unit.name}: {wanted}"
        # Whoever dies must not take Asterisk and its calls along.
        assert "KillMode=process" in said or "--no-with-asterisk" in said


def test_alarms_that_lead_to_the_runbook_are_in_it() -> None:
    rules = yaml.safe_load((REPOSITORY / "deploy/prometheus/alerts.yaml").read_text(encoding="utf-8"))["groups"]
    looks = {rule["alert"]: rule["annotations"]["look"] for group in rules for rule in group["rules"]}
    told = set(re.findall(r"^\| `(\w+)` \|", (REPOSITORY / "docs/runbook.md").read_text(encoding="utf-8"), re.M))
    assert {name for name, look in looks.items() if "docs/runbook.md" in look} <= told
    assert told <= looks.keys()

"""The containers as compose.yaml has them: no rights that nothing needs, and bounds."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).parents[2]
SERVICES = yaml.safe_load((REPOSITORY / "compose.yaml").read_text())["services"]


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_containers_have_no_rights_to_spare(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"] is True
    assert service["pids_limit"] > 0
    assert "privileged" not in service
    assert not any("docker.sock" in str(volume) for volume in service["volumes"])


def test_the_line_needs_no_right_at_all_and_has_its_descriptors() -> None:
    line = SERVICES["omnivigil"]
    assert "cap_add" not in line
    assert line["ulimits"]["nofile"] >= 65_536


def test_the_image_runs_as_nobody_special_and_can_be_pinned() -> None:
    lines = (REPOSITORY / "Dockerfile").read_text().splitlines()
    assert "USER omnivigil" in lines
    assert "FROM ${BASE}" in lines

"""The migrations are one chain, seen by their files alone: whoever adds one by another's number learns it at once."""

from __future__ import annotations

import re
from pathlib import Path

VERSIONS = Path(__file__).parents[2] / "ivr" / "migrations" / "versions"


def test_each_revision_has_a_number_of_its_own_and_one_before_it() -> None:
    after: dict[str | None, str] = {}
    files = sorted(VERSIONS.glob("r*.py"))
    for file in files:
        text = file.read_text("utf-8")
        found = re.search(r'^revision = "(\d{4})"\ndown_revision = (?:"(\d{4})"|None)$', text, re.M)
        assert found is not None, file.name
        assert file.name.startswith(f"r{found[1]}_")
        assert found[2] not in after, f"{file.name} and {after[found[2]]} both follow {found[2]}"
        after[found[2]] = found[1]
    # Not by their numbers: some came into the line later than the ones after them.
    chain, last = [], after.get(None)
    while last is not None:
        chain.append(last)
        last = after.get(last)
    assert len(set(chain)) == len(files)

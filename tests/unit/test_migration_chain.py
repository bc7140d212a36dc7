"""The migrations are one chain, seen by their files alone: whoever adds one by another's number learns it at once."""

from __future__ import annotations

import re
from pathlib import Path

VERSIONS = Path(__file__).parents[2] / "ivr" / "store" / "migrations" / "versions"


def test_each_revision_follows_the_one_before() -> None:
    before = None
    for file in sorted(VERSIONS.glob("r*.py")):
        text = file.read_text("utf-8")
        found = re.search(r'^revision = "(\d{4})"\ndown_revision = (?:"(\d{4})"|(None))$', text, re.M)
        assert found is not None, file.name
        assert file.name.startswith(f"r{found[1]}_")
        assert found[2] == before, f"{file.name} follows {found[2]}, and {before} is the one before it"
        before = found[1]

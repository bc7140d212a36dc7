"""Runs the tests of the rules against mutants of each rule module.

    python -m tests.mutation [MODULE …] [--mutants N] [--seed S]

For each module N mutants are drawn (30), the same for the same seed, and its unit tests run against each in a copy of
the tree: nothing here is changed. Prints how many were noticed, and every one that was not, with its line. A survivor
is a test that is missing, or a change that makes no difference. Ends with 1 when fewer than 95 % of all were noticed.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from tests.mutation.mutants import Mutant, mutants

_REPOSITORY = Path(__file__).parents[2]
#: A mutant that makes a loop endless is noticed as well.
_LIMIT_S = 120
_ENOUGH = 0.95

#: The modules of rules, and the tests that are to notice.
RULES: Final[dict[str, tuple[str, ...]]] = {
    "ivr/desk/hours.py": ("tests/unit/desk",),
    "ivr/desk/menu.py": ("tests/unit/desk",),
    "ivr/tickets/sla.py": ("tests/unit/tickets",),
    "ivr/tickets/routing.py": ("tests/unit/tickets",),
    "ivr/tickets/workflow.py": ("tests/unit/tickets",),
    "ivr/tickets/promise.py": ("tests/unit/tickets",),
    "ivr/tickets/service_requests.py": ("tests/unit/tickets",),
    "ivr/callbacks/model.py": ("tests/unit/callbacks",),
    "ivr/numbers/diallable.py": ("tests/unit/numbers",),
    "ivr/numbers/calling_rights.py": ("tests/unit/numbers",),
    "ivr/quality/verdict.py": ("tests/unit/quality",),
    "ivr/quality/emodel.py": ("tests/unit/quality",),
    "ivr/oncall/rota.py": ("tests/unit/oncall",),
    "ivr/oncall/escalation.py": ("tests/unit/oncall",),
    "ivr/incidents/model.py": ("tests/unit/incidents",),
    "ivr/notify/delivery.py": ("tests/unit/notify",),
    "ivr/mail/rules.py": ("tests/unit/mail",),
    "ivr/queueing/estimate.py": ("tests/unit/queueing",),
    "ivr/queueing/places.py": ("tests/unit/queueing",),
    "ivr/queueing/member_choice.py": ("tests/unit/queueing",),
}


def main(arguments: list[str]) -> int:
    """Run, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation")
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=f"one of {', '.join(RULES)}; all by default")
    parser.add_argument("--mutants", type=int, default=30, help="of each module")
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args(arguments)
    unknown = [one for one in given.modules if one not in RULES]
    if unknown:
        parser.error(f"no module of rules: {', '.join(unknown)}")
    noticed = tried = 0
    with tempfile.TemporaryDirectory(prefix="ov-mutation-") as folder:
        copy = _copy(Path(folder))
        for module in given.modules or RULES:
            drawn = _drawn((_REPOSITORY / module).read_text("utf-8"), given.mutants, given.seed)
            survivors = [one for one in drawn if not _is_noticed(copy, module, one)]
            noticed, tried = noticed + len(drawn) - len(survivors), tried + len(drawn)
            _tell(module, drawn, survivors)
    share = noticed / max(1, tried)
    sys.stdout.write(f"{100 * share:4.0f} %  of {tried}\n")
    return 0 if share >= _ENOUGH else 1


def _copy(folder: Path) -> Path:
    """Copy what is tracked, as it is now."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=_REPOSITORY, capture_output=True, check=True).stdout
    for name in listed.decode().split("\0"):
        source = _REPOSITORY / name
        if name and source.is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, folder / name)
    return folder


def _drawn(source: str, count: int, seed: int) -> list[Mutant]:
    """Draw from each kind in turn, so that rare kinds are among them."""
    chance = random.Random(seed)
    by_kind: dict[str, list[Mutant]] = {}
    for one in mutants(source):
        by_kind.setdefault(one.kind, []).append(one)
    for every in by_kind.values():
        chance.shuffle(every)
    drawn: list[Mutant] = []
    while len(drawn) < count and any(by_kind.values()):
        drawn += [every.pop() for every in by_kind.values() if every][: count - len(drawn)]
    return sorted(drawn, key=lambda one: one.line)


def _is_noticed(copy: Path, module: str, mutant: Mutant) -> bool:
    file = copy / module
    whole = file.read_bytes()
    file.write_text(mutant.source, "utf-8")
    words = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *RULES[module]]
    try:
        done = subprocess.run(words, cwd=copy, capture_output=True, timeout=_LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        return True
    finally:
        file.write_bytes(whole)
    return done.returncode != 0


def _tell(module: str, drawn: list[Mutant], survivors: list[Mutant]) -> None:
    share = 100 * (len(drawn) - len(survivors)) / max(1, len(drawn))
    sys.stdout.write(f"{share:4.0f} %  {module}\n")
    for one in survivors:
        sys.stdout.write(f"          {module}:{one.line}: {one.kind}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

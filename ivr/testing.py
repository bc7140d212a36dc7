"""`./omnivigil test`: the checks and the tests, in one command, on any machine."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from rich.console import Console

from ivr.settings import Settings
from ivr.up import ensure_runtime

console = Console(highlight=False)


def run_tests(repository: Path, only: list[str], *, lint: bool) -> int:
    """The exit code of the first thing that fails, or 0. Call tests run side by side: they mostly wait."""
    asyncio.run(ensure_runtime(Settings(state=repository / "var"), console))
    bin_folder = Path(sys.executable).parent
    checks: list[list[str]] = [
        [str(bin_folder / "ruff"), "check"],
        [str(bin_folder / "ruff"), "format", "--check"],
        [str(bin_folder / "mypy")],
        [str(bin_folder / "lint-imports")],
    ]
    for command in checks if lint else []:
        console.print(f"— {Path(command[0]).name} {' '.join(command[1:])}", style="bold")
        if (code := subprocess.run(command, cwd=repository, check=False).returncode) != 0:
            return code
    tests = [sys.executable, "-m", "pytest", "-n", os.environ.get("OMNIVIGIL_TEST_WORKERS", "6"), "--dist", "load"]
    return subprocess.run([*tests, *only], cwd=repository, check=False).returncode

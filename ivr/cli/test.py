"""`./omnivigil test`: the checks and the tests, in one command, on any machine."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from ivr.cli.up import ensure_browser, ensure_phones, ensure_postgresql, ensure_runtime
from ivr.settings import Settings
from ivr.tools import postgresql_server

console = Console(highlight=False)

#: Calls side by side on one line.
CALL_WORKERS = os.environ.get("OMNIVIGIL_TEST_WORKERS", "4")
#: Integration tests that make calls as well.
_PHONES = "tests/integration/sipsim"


def run_tests(repository: Path, only: list[str], *, lint: bool) -> int:
    """The exit code of the first thing that fails, or 0. Call tests run side by side: they mostly wait."""
    asyncio.run(ensure_runtime(Settings(state=repository / "var"), console))
    asyncio.run(ensure_phones(repository / "var" / "phones", console))
    asyncio.run(ensure_postgresql(postgresql_server.embedded(repository), console))
    asyncio.run(ensure_browser(repository / "var" / "chromium", console))
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
    _keep_bytecode(repository / "var" / "bytecode")
    # Whoever listens to calls computes little at a time, and NumPy's threads wait for the next time by spinning.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    pytest = [sys.executable, "-m", "pytest"]
    # A file's tests share a line, and starting one takes longer than many a call: each file has one process, and the
    # files begin in the order in which they are collected, the longest first.
    calls = [*pytest, "-n", CALL_WORKERS, "--dist", "loadfile", "--no-loadscope-reorder"]
    if only:
        return subprocess.run([*calls, *only], cwd=repository, check=False).returncode
    if (code := _pytest(repository, [*pytest, "-n", "auto", "tests/unit", "tests/conversations"])) != 0:
        return code
    # Calls and pages wait for people, and what computes beside them gives way to them. Phones must be in time anywhere.
    with tempfile.TemporaryFile() as output:
        words = ["nice", "-n", "10", *pytest, "-n", "auto", f"--ignore={_PHONES}", "tests/integration"]
        beside = subprocess.Popen(words, cwd=repository, stdout=output, stderr=output)
        try:
            code = _pytest(repository, [*calls, _PHONES, "tests/calls"])
            code = _pytest(repository, [*pytest, "-n", "1", "tests/browser"]) or code
            console.print("— tests/integration, which ran beside them", style="bold")
            code = beside.wait() or code
        finally:
            beside.terminate()
            output.seek(0)
            sys.stdout.write(output.read().decode(errors="replace"))
            sys.stdout.flush()
    return code


def _keep_bytecode(folder: Path) -> None:
    """Have every Python that is started keep what it compiles, also where the environment says not to.

    Some forty processes of tests and sixty lines and services load the same modules.
    """
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ.setdefault("PYTHONPYCACHEPREFIX", str(folder))


def _pytest(repository: Path, words: list[str]) -> int:
    console.print(f"— {words[-1]}", style="bold")
    return subprocess.run(words, cwd=repository, check=False).returncode

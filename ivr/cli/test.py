"""`./omnivigil test`: the checks and the tests, in one command, on any machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
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

Command = list[str]


def run_tests(repository: Path, only: list[str], *, lint: bool, smoke: bool = False) -> int:
    """Run the checks and the tests, or those in `only`; return the exit code of the first that fails, or 0.

    `smoke` leaves out PostgreSQL, the pages in a browser and all calls but one of each conversation.
    """
    _install(repository, browser=not smoke)
    # Whoever listens to calls computes little at a time, and NumPy's threads wait for the next time by spinning.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    _keep_bytecode(repository / "var" / "bytecode")
    pytest = [sys.executable, "-m", "pytest"]
    # A file's tests share a line, and starting one takes longer than many a call: each file has one process, and the
    # files begin in the order in which they are collected, the longest first.
    calls = [*pytest, "-n", CALL_WORKERS, "--dist", "loadfile", "--no-loadscope-reorder"]
    stages = _Stages(repository)
    if only:
        return stages.run("what was named", [*calls, *only])
    if smoke:
        os.environ["OMNIVIGIL_TEST_DATABASES"] = "sqlite"
    try:
        with stages.beside("checks", _checks() if lint else []):
            stages.run("tests/unit, tests/conversations", [*pytest, "-n", "auto", "tests/unit", "tests/conversations"])
        if stages.code != 0:
            return stages.code
        # Calls and pages wait for people, and what computes beside them gives way to them. Phones must be in time
        # anywhere.
        words = ["nice", "-n", "10", *pytest, "-n", "auto", f"--ignore={_PHONES}", "tests/integration"]
        with stages.beside("tests/integration", [words]):
            if smoke:
                stages.run("tests/calls, one of each conversation", [*calls, "-m", "smoke", "tests/calls"])
            else:
                stages.run("tests/calls", [*calls, _PHONES, "tests/calls"])
                stages.run("tests/browser", [*pytest, "-n", "1", "tests/browser"])
        return stages.code
    finally:
        stages.tell()


def _install(repository: Path, *, browser: bool) -> None:
    asyncio.run(ensure_runtime(Settings(state=repository / "var"), console))
    asyncio.run(ensure_phones(repository / "var" / "phones", console))
    asyncio.run(ensure_postgresql(postgresql_server.embedded(repository), console))
    if browser:
        asyncio.run(ensure_browser(repository / "var" / "chromium", console))


def _keep_bytecode(folder: Path) -> None:
    """Have every Python that is started keep what it compiles, also where the environment says not to.

    Some forty processes of tests and sixty lines and services load the same modules.
    """
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ.setdefault("PYTHONPYCACHEPREFIX", str(folder))


def _checks() -> list[Command]:
    folder = Path(sys.executable).parent
    return [
        [str(folder / "ruff"), "check"],
        [str(folder / "ruff"), "format", "--check"],
        [str(folder / "mypy")],
        [str(folder / "lint-imports")],
    ]


class _Stages:
    """Stages of one run: how each ended, and how long it took."""

    def __init__(self, repository: Path) -> None:
        self._repository = repository
        #: Names, and seconds; in the order in which they ended.
        self.took: list[tuple[str, float]] = []
        #: Of the first that failed, or 0.
        self.code = 0

    def run(self, name: str, words: Command) -> int:
        """Run one stage in the foreground; its exit code."""
        console.print(f"— {name}", style="bold")
        began = time.monotonic()
        code = subprocess.run(words, cwd=self._repository, check=False).returncode
        self._ended(name, began, code)
        return code

    @contextlib.contextmanager
    def beside(self, name: str, commands: Sequence[Command]) -> Iterator[None]:
        """Run commands one after the other beside what is within; what they said is printed at the end, whole."""
        if not commands:
            yield
            return
        began = time.monotonic()
        with tempfile.TemporaryFile() as output:
            row = _Row(self._repository, commands, output.fileno())
            row.start()
            try:
                yield
                row.join()
            finally:
                row.end()
                console.print(f"— {name}, beside it", style="bold")
                output.seek(0)
                sys.stdout.write(output.read().decode(errors="replace"))
                sys.stdout.flush()
        self._ended(name, began, row.code, row.over)

    def _ended(self, name: str, began: float, code: int, over: float | None = None) -> None:
        self.took.append((name, (over or time.monotonic()) - began))
        self.code = self.code or code

    def tell(self) -> None:
        """Print how long each stage took, those beside another included."""
        for name, seconds in self.took:
            console.print(f"{seconds // 60:4.0f} min {seconds % 60:2.0f} s  {name}")


class _Row(threading.Thread):
    """Commands that run one after the other until one fails."""

    def __init__(self, folder: Path, commands: Sequence[Command], output: int) -> None:
        super().__init__(name="beside", daemon=True)
        self._folder, self._commands, self._output = folder, commands, output
        self._now: subprocess.Popen[bytes] | None = None
        self._given_up = False
        self.code = 0
        #: When the last command ended, by the monotonic clock; None while one runs.
        self.over: float | None = None

    def run(self) -> None:
        for words in self._commands:
            if self._given_up or self.code != 0:
                break
            self._now = subprocess.Popen(words, cwd=self._folder, stdout=self._output, stderr=self._output)
            self.code = self._now.wait()
        self.over = time.monotonic()

    def end(self) -> None:
        """End what still runs; nothing more begins."""
        self._given_up = True
        # One may just begin.
        while self.is_alive():
            if self._now is not None:
                self._now.terminate()
            self.join(0.1)

"""The command line as a newcomer meets it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """One command, to its end."""
    path = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "sip-sim")])
    return subprocess.run(
        [sys.executable, "-m", "ivr", *words],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": path, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_hear_tells_the_call_step_by_step() -> None:
    """OV-5: at 16:59 a technician is looked for; a minute later the line is closed until Monday."""
    words = ("hear", "--dial", "18446664844", "--from", "4185550100", "--press", "2")
    before = run(*words, "--at", "2026-12-24T16:59")
    assert before.returncode == 0
    lines = before.stdout.splitlines()
    assert lines[1].startswith("  [fr] « Bienvenue chez OMNIVIGIL")
    assert "queue support" in lines[-1]
    after = run(*words, "--at", "2026-12-24T17:00")
    assert "lundi à 8 heures" in after.stdout
    assert "message box, urgent" in after.stdout


def test_hear_speaks_english_and_knows_the_other_desk() -> None:
    """OV-4, HL-1."""
    assert "[en]" in run("hear", "--press", "9,2", "--at", "2026-11-25T10:00").stdout
    hotline = run("hear", "--dial", "33972596990", "--press", "4", "--at", "2026-11-25T10:00").stdout
    assert "7202" in hotline
    assert "[en]" not in hotline


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("hear", "--dial", "5145551234"), "--dial"),
        (("hear", "--press", "x"), "--press"),
        (("hear", "--at", "demain"), "--at"),
        (("up", "--sip", "0.0.0.0:5060"), "--sip"),
        (("up", "--sip", "nowhere"), "--sip"),
        (("up", "--now", "2026-12-25T10:00:00"), "--now"),
        (("up", "--rtp", "1-2"), "--rtp"),
        (("up", "--ami", "192.0.2.1:5038"), "--ami"),
        (("up", "--state", "/proc/nothing/here"), "--state"),
    ],
)
def test_bad_input_names_the_option_in_one_sentence(words: tuple[str, ...], named: str) -> None:
    """No traceback, exit code 2."""
    done = run(*words)
    assert done.returncode == 2
    assert done.stderr.startswith(f"omnivigil: {named}: ")
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_port_in_use_is_told(tmp_path: Path) -> None:
    """Before anything is started."""
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = run("up", "--state", str(tmp_path / "state"), "--sip", "127.0.0.1:5999", "--http", address)
    assert done.returncode == 2
    assert f"--http: {address} cannot be used" in done.stderr


def test_a_wrong_desk_file_names_file_line_and_field(tmp_path: Path) -> None:
    """The whole way from the option to the sentence."""
    good = (REPOSITORY / "ivr" / "desk" / "desks" / "omnivigil.yaml").read_text()
    (tmp_path / "mine.yaml").write_text(good.replace("wait_s: 5", "wait_s: soon"))
    done = run("hear", "--desks", str(tmp_path))
    assert done.returncode != 0
    assert "mine.yaml:" in done.stderr
    assert "menu.wait_s" in done.stderr


def test_doctor_says_what_it_looked_at(tmp_path: Path) -> None:
    """Each thing with its state."""
    done = run("doctor", "--state", str(tmp_path / "state"))
    assert "Asterisk" in done.stdout
    assert "state folder" in done.stdout


def test_doctor_says_which_notices_wait_and_names_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ports = ("--sip", "127.0.0.1:1", "--http", "127.0.0.1:2", "--agi", "127.0.0.1:3", "--ami", "127.0.0.1:4")
    assert (
        "not configured: e-mail and SMS; these notices wait" in run("doctor", "--state", str(tmp_path), *ports).stdout
    )
    monkeypatch.setenv("OMNIVIGIL_SMTP_HOST", "mail.example")
    wrong = run("doctor", "--state", str(tmp_path), *ports)
    assert "OMNIVIGIL_SMTP_FROM: is missing" in wrong.stdout
    assert wrong.returncode == 1
    refused = run("up", "--state", str(tmp_path), *ports)
    assert refused.returncode == 2
    assert "OMNIVIGIL_SMTP_FROM" in refused.stderr


def test_help_names_the_command_that_is_typed() -> None:
    assert "Usage: ./omnivigil [OPTIONS] COMMAND" in run("--help").stdout
    assert "Usage: ./omnivigil sim call" in run("sim", "call", "--help").stdout


def test_commands_beside_a_line_say_so_where_none_runs(tmp_path: Path) -> None:
    """0 is for a line on the air alone."""
    state = ("--state", str(tmp_path))
    assert run("--version").stdout.startswith("omnivigil ")
    told = run("status", *state)
    assert (told.returncode, "No line runs" in told.stdout) == (1, True)
    as_json = json.loads(run("status", "--json", *state).stdout)
    assert (as_json["on_the_air"], as_json["status"]) == (False, "stopped")
    stop = run("stop", *state)
    assert (stop.returncode, "./omnivigil up" in stop.stderr) == (1, True)
    logs = run("logs", *state)
    assert (logs.returncode, logs.stderr.startswith("omnivigil: --state: ")) == (2, True)


def test_a_shell_completes_commands() -> None:
    """As the script that `completion` prints does."""
    script = run("completion", "bash").stdout
    words = 'COMP_WORDS=(./omnivigil doc); COMP_CWORD=1; _omnivigil_completion "$P"; echo "${COMPREPLY[@]}"'
    program = f'#!/bin/sh\nexec {sys.executable} -m ivr "$@"\n'
    path = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "sip-sim")])
    done = subprocess.run(
        ["bash", "-c", f'P=$(mktemp); printf %s \'{program}\' > "$P"; chmod +x "$P"; {script}\n{words}; rm "$P"'],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.split() == ["doctor"]

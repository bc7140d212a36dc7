"""./omnivigil directory, as whoever keeps the lists uses it."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event
from sqlalchemy.ext.asyncio import AsyncEngine
from typer.testing import CliRunner, Result

from ivr.__main__ import app
from ivr.errors import BadInput
from ivr.store import engine
from ivr.store.engine import StoreUnavailable

OPERATOR = {
    "comptes.csv": "compte;nom;langue\r\nC-9;Essai « inc. »;français\r\n",
    "numéros.csv": "numéro;compte\r\n418 555-0188;C-9\r\n",
    "postes.csv": "poste;compte\r\n6900;C-9\r\n",
}


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    """A folder as French Excel leaves it."""
    folder = tmp_path / "lists"
    folder.mkdir()
    for name, text in OPERATOR.items():
        (folder / name).write_bytes(text.encode("windows-1252"))
    return folder


def run(*words: object) -> Result:
    return CliRunner().invoke(app, ["directory", *map(str, words)], env={"COLUMNS": "200"})


def test_from_the_template_to_an_export_that_changes_nothing(tmp_path: Path) -> None:
    folder, state = tmp_path / "lists", tmp_path / "state"
    assert run("template", folder, "--french").exit_code == 0
    assert "is there already" in str(run("template", folder).exception)
    shown = run("import", folder, "--dry-run", "--state", state)
    assert "+ accounts C-1001" in shown.stdout
    assert not (folder / "phones-secrets.csv").exists()
    done = run("import", folder, "--state", state)
    assert done.exit_code == 0
    kept = folder / "phones-secrets.csv"
    assert str(kept) in done.stdout
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert kept.read_text("utf-8-sig").startswith("name;secret\n6001;")
    for path in (tmp_path / "out", tmp_path / "out.yaml"):
        assert run("export", path, "--state", state).exit_code == 0
        again = run("import", path, "--prune", "--dry-run", "--state", state)
        assert again.stdout.strip() == "Nothing changes."
        secret = kept.read_text("utf-8-sig").split(";")[-1].strip()
        for file in path.iterdir() if path.is_dir() else [path]:
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
            assert secret not in file.read_text("utf-8")
    assert run("import", folder, "--state", state).stdout.strip() == "Nothing changes."


def test_nothing_is_removed_where_nobody_can_be_asked(lists: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    assert run("import", lists, "--state", state).exit_code == 0
    (lists / "numéros.csv").write_bytes("numéro;compte\r\n".encode("windows-1252"))
    refused = run("import", lists, "--prune", "--state", state)
    assert isinstance(refused.exception, BadInput)
    assert (refused.exception.field, "--yes" in refused.exception.mend) == ("--prune", True)
    assert "1 numbers" in run("export", tmp_path / "before", "--state", state).stdout
    assert run("import", lists, "--prune", "--yes", "--state", state).exit_code == 0
    assert "numbers" not in run("export", tmp_path / "after", "--state", state).stdout


def test_everything_that_is_wrong_is_told_and_nothing_is_done(lists: Path, tmp_path: Path) -> None:
    (lists / "personnes.csv").write_bytes("compte;nom;courriel\r\nC-9;Zoé;zoé\r\nC-8;Luc;\r\n".encode("windows-1252"))
    (lists / "postes.csv").write_bytes(b"poste;compte;vendeur\r\nudp;C-9;Luc\r\n")
    state = tmp_path / "state"
    done = run("import", lists, "--state", state)
    assert done.exit_code == 2
    told = done.stderr.splitlines()
    assert [line.split(":")[0] for line in told] == [
        "personnes.csv, row 2, column courriel",
        "personnes.csv, row 3, column compte",
        "postes.csv, row 2, column poste",
        "3 wrong; nothing was changed.",
    ]
    assert run("export", tmp_path / "out", "--state", state).stdout.endswith("nothing to tell\n")


def test_secrets_of_a_second_import_are_beside_those_of_the_first(lists: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    assert run("import", lists, "--state", state).exit_code == 0
    (lists / "postes.csv").write_bytes(b"poste;compte\r\n6901;C-9\r\n")
    assert run("import", lists, "--state", state).exit_code == 0
    assert (lists / "phones-secrets.csv").read_text("utf-8-sig").split("\n")[1].startswith("6900;")
    assert (lists / "phones-secrets-2.csv").read_text("utf-8-sig").split("\n")[1].startswith("6901;")


def test_a_disk_that_fills_leaves_no_phone_without_its_secret(
    lists: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / "state"

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        done = run("import", lists, "--state", state)
    assert "nothing was changed" in str(done.exception)
    assert not (lists / "phones-secrets.csv").exists()
    assert run("import", lists, "--state", state).exit_code == 0


def test_a_disk_that_fills_while_rows_are_written_has_none_of_them(
    lists: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite's own limit stands in for the disk's: the same error, SQLITE_FULL, from the very statement."""
    state = tmp_path / "state"
    assert run("import", lists, "--state", state).exit_code == 0
    many = tmp_path / "many"
    many.mkdir()
    rows = "".join(f"C-{n};Client numéro {n} au nom assez long;{n}, rue Principale, Québec\r\n" for n in range(3000))
    (many / "comptes.csv").write_text(f"compte;nom;adresse\r\n{rows}", "utf-8")
    made = engine._engine

    def small(*given: Any, **more: Any) -> AsyncEngine:
        found = made(*given, **more)

        @event.listens_for(found.sync_engine, "begin")
        def limited(connection: Connection) -> None:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            if not limits:
                limits.append(pages + 20)
            connection.exec_driver_sql(f"PRAGMA max_page_count = {limits[0]}")

        return found

    limits: list[int] = []
    with monkeypatch.context() as patched:
        patched.setattr(engine, "_engine", small)
        done = run("import", many, "--state", state)
    assert isinstance(done.exception, StoreUnavailable)
    assert "full" in str(done.exception)
    assert run("export", tmp_path / "after", "--state", state).stdout.endswith("1 accounts, 1 numbers, 1 phones\n")
    assert run("import", many, "--state", state).exit_code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--provider", "azimut"), "no desk is of the provider"),
        (("--desks", "nowhere"), "no desk file"),
    ],
)
def test_what_the_desks_do_not_have(lists: Path, tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    assert said in str(run("import", lists, "--state", tmp_path, *words).exception)

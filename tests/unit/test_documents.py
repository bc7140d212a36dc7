"""What the documents name is there: rules, files, links, commands, variables, figures; and what is there is named."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from sipsim.cli import app as sim
from typer.core import TyperGroup
from typer.testing import CliRunner

from bench.__main__ import app as bench
from ivr import VERSION
from ivr.__main__ import app as omnivigil

REPOSITORY = Path(__file__).parents[2]
_RULE = re.compile(r"\b(?:OV|AZ|SO|OP|HL)-\d+\b")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")
_FENCED = re.compile(r"^```\w*\n(.*?)^```$", re.M | re.S)
#: Words of how-tos for the reader to replace.
_EXAMPLE = re.compile(r"\b(FEATURE|NAME|THINGS)\b|_(NAME|THINGS)\.")
#: Named in documents as files of the repository; what else stands in backquotes is a command, a field or an address.
_FOLDERS = ("ivr", "api", "agi_scripts", "dialplan", "tests", "sip-sim", "bench", "deploy", "docs", "requirements")


def _tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=True).stdout
    return [REPOSITORY / name for name in listed.decode().split("\0") if name]


TRACKED = [path for path in _tracked() if path.is_file()]
DOCUMENTS = [path for path in TRACKED if path.suffix == ".md"]


def _named(path: Path) -> str:
    return str(path.relative_to(REPOSITORY))


def test_every_rule_that_is_cited_stands_among_the_rules() -> None:
    rules = set(re.findall(r"^- ((?:OV|AZ|SO|OP|HL)-\d+) ", (REPOSITORY / "docs/rules.md").read_text("utf-8"), re.M))
    assert len(rules) > 70
    cited: dict[str, list[str]] = {}
    for path in TRACKED:
        if path.suffix in {".py", ".md", ".j2", ".yaml", ".html"}:
            for rule in _RULE.findall(path.read_text("utf-8")):
                cited.setdefault(rule, []).append(str(path.relative_to(REPOSITORY)))
    assert {rule: where[:3] for rule, where in cited.items() if rule not in rules} == {}


@pytest.mark.parametrize("document", DOCUMENTS, ids=_named)
def test_links_lead_somewhere(document: Path) -> None:
    text = document.read_text("utf-8")
    inside = [link for link in _LINK.findall(text) if not re.match(r"[a-z]+:", link)]
    broken = [link for link in inside if not _is_there(document, link)]
    assert broken == []


def _is_there(document: Path, link: str) -> bool:
    name, _, anchor = link.partition("#")
    target = (document.parent / name).resolve() if name else document
    if not target.exists():
        return False
    return not anchor or anchor in _anchors(target)


def _anchors(document: Path) -> set[str]:
    """As the usual hosts make them of headings."""
    headings = re.findall(r"^#+ (.+)$", document.read_text("utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=_named)
def test_files_that_are_named_are_there(document: Path) -> None:
    named = {
        code.partition("::")[0].partition(":")[0]
        for code in _CODE.findall(document.read_text("utf-8"))
        if re.fullmatch(rf"({'|'.join(_FOLDERS)})/[\w./-]+(:+[\w.:]+)?", code)
    }
    named = {name for name in named if not _EXAMPLE.search(name)}
    assert sorted(name for name in named if not (REPOSITORY / name).exists()) == []


# ---- Commands --------------------------------------------------------------------------------------


def _command_line() -> TyperGroup:
    """`./omnivigil` with the commands of `sim` and `bench`, which are handed on to others."""
    root = typer.main.get_command(omnivigil)
    assert isinstance(root, TyperGroup)
    root.commands["sim"] = typer.main.get_command(sim)
    root.commands["bench"] = typer.main.get_command(bench)
    return root


COMMAND_LINE = _command_line()
#: A command in a document: to the end of its code span, of its line, or to what a shell puts after it.
_COMMAND = re.compile(r"(?:\./|^)omnivigil +([^`\n#|;&)]+)", re.M)


def _wrong_with(words: list[str]) -> str | None:
    """The first word that the command line does not know: a command where one is due, or an option."""
    command: Any = COMMAND_LINE
    options = _options(command)
    for word in words:
        if word.startswith("-"):
            if word.partition("=")[0].rstrip(",.:") not in options:
                return word
        elif isinstance(command, TyperGroup):
            found = command.commands.get(word)
            if found is None and "make" not in command.commands:
                return word
            # `token NAME` makes one.
            command = found or command.commands["make"]
            options = _options(command)
    return None


def _options(command: Any) -> set[str]:
    found = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    return {option for option in found if option.startswith("-")} | {"--help"}


def _commands(text: str) -> list[str]:
    shown = "\n".join([*_FENCED.findall(text), *_CODE.findall(_FENCED.sub("", text))])
    found = (match.strip() for match in _COMMAND.findall(shown))
    # `./omnivigil COMMAND`, `[--resume FILE]` and the like are words for the reader.
    return [words.replace("[", " ").replace("]", " ") for words in found if not words.startswith("COMMAND")]


@pytest.mark.parametrize("document", DOCUMENTS, ids=_named)
def test_commands_that_are_told_are_there(document: Path) -> None:
    told = _commands(document.read_text("utf-8"))
    assert {words: wrong for words in told if (wrong := _wrong_with(words.split())) is not None} == {}


def test_a_command_that_is_not_there_is_found() -> None:
    assert _commands("`./omnivigil up --nonsense`\n```sh\n./omnivigil dance  # now\n```\n") == [
        "dance",
        "up --nonsense",
    ]
    assert _wrong_with(["up", "--nonsense"]) == "--nonsense"
    assert _wrong_with(["dance"]) == "dance"
    assert _wrong_with(["bench", "menu", "--rate", "8"]) is None
    assert _wrong_with(["token", "crm", "--scope", "read"]) is None


def _every_command(group: TyperGroup, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from _every_command(command, (*path, name))
        elif not getattr(command, "hidden", False):
            yield (*path, name)


def test_every_command_is_told() -> None:
    told = [tuple(words.split()) for document in DOCUMENTS for words in _commands(document.read_text("utf-8"))]
    # Made by `token NAME`.
    wanted = set(_every_command(COMMAND_LINE)) - {("token", "make")}
    assert len(wanted) > 30
    assert sorted(path for path in wanted if not any(words[: len(path)] == path for words in told)) == []


def test_the_version_is_told_once_and_everywhere() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    told = CliRunner().invoke(omnivigil, ["--version"]).output
    changelog = re.findall(r"^## \[?(\d+\.\d+\.\d+)\]?", (REPOSITORY / "CHANGELOG.md").read_text("utf-8"), re.M)
    assert told == f"omnivigil {VERSION}\n"
    assert project["version"] == VERSION == changelog[0]


# ---- What is set, counted and mapped ---------------------------------------------------------------


def test_environment_variables_are_in_one_table() -> None:
    table = (REPOSITORY / "docs/environment.md").read_text("utf-8")
    rows = re.findall(r"^\| `(OMNIVIGIL_[A-Z_]+)` \|", table, re.M)
    assert len(rows) == len(set(rows))
    read: set[str] = set()
    for path in TRACKED:
        if path.suffix in {".md", ".png"} or path == Path(__file__):
            continue
        text = path.read_text("utf-8", errors="replace")
        read.update(re.findall(r"(?<![A-Z_])OMNIVIGIL_[A-Z][A-Z_]*[A-Z]", text))
        # Where notices leave by: read without the prefix (`ivr.notify.config`).
        if "tests" not in path.parts:
            for how, name in re.findall(r"given\.(text|needed|secret)\(\s*\"([A-Z_]+)\"", text):
                read.update({f"OMNIVIGIL_{name}"} | ({f"OMNIVIGIL_{name}_FILE"} if how == "secret" else set()))
    assert sorted(rows) == sorted(read)


def test_figures_that_are_told_are_counted() -> None:
    counted = {
        name
        for path in TRACKED
        if path.suffix == ".py" and "metrics" in path.parts and "tests" not in path.parts
        for name in re.findall(r'"(omnivigil_[a-z_]+)"', path.read_text("utf-8"))
    }
    assert len(counted) > 25
    told = {
        re.sub(r"_(total|bucket|sum|count)$", "", name)
        for document in DOCUMENTS
        for code in _CODE.findall(document.read_text("utf-8"))
        for name in re.findall(r"\b(omnivigil_[a-z_]+[a-z])\b(?!…)", code)
    }
    assert sorted(told - counted - {"omnivigil_browser"}) == []
    assert sorted(counted - told) == []


def test_lines_of_the_log_that_are_told_are_logged() -> None:
    sources = [path for path in TRACKED if path.suffix == ".py" and "tests" not in path.parts]
    code = "\n".join(path.read_text("utf-8") for path in sources)
    told = {
        line.replace("\n", " ")
        for document in DOCUMENTS
        for found in re.finditer(r"[Tt]he lines? « ([^»]+) »|« ([^»]+) » in the log", document.read_text("utf-8"))
        for line in found.groups()
        if line is not None
    }
    assert len(told) >= 2
    assert {line for line in told if line not in code} == set()


def test_each_alarm_is_in_the_runbook() -> None:
    alarms = re.findall(r"^ +- alert: (\w+)$", (REPOSITORY / "deploy/prometheus/alerts.yaml").read_text("utf-8"), re.M)
    rows = re.findall(r"^\| `(\w+)` \|", (REPOSITORY / "docs/runbook.md").read_text("utf-8"), re.M)
    assert sorted(rows) == sorted(alarms)


def test_every_folder_is_on_the_map() -> None:
    readme = (REPOSITORY / "README.md").read_text("utf-8")
    files = [path.relative_to(REPOSITORY) for path in TRACKED]
    rooms = {"/".join(path.parts[:2]) for path in files if path.parts[0] in {"ivr", "api", "tests"} and path.parts[2:]}
    floors = {path.parts[0] for path in files if path.parts[1:] and not path.parts[0].startswith(".")}
    missing = {folder for folder in rooms | floors if not re.search(rf"(?<![\w/-]){folder}(?![\w-])", readme)}
    assert sorted(missing) == []


def test_documents_lead_to_one_another() -> None:
    """Whoever begins at README.md or CONTRIBUTING.md comes to every document by links."""
    seen: set[Path] = set()
    reached = {REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md"}
    while new := reached - seen:
        seen |= new
        for document in new:
            links = (link.partition("#")[0] for link in _LINK.findall(document.read_text("utf-8")))
            reached |= {
                target for link in links if link and (target := (document.parent / link).resolve()).suffix == ".md"
            }
    assert sorted(_named(document) for document in set(DOCUMENTS) - reached) == []


def test_the_glossary_has_each_word_once_and_in_order() -> None:
    rows = re.findall(r"^\| (\w[^|]*?) \| ", (REPOSITORY / "docs/glossary.md").read_text("utf-8"), re.M)
    words = [re.sub(r"\W", "", row.partition(",")[0]).casefold() for row in rows[1:]]
    assert len(words) > 60
    assert words == sorted(set(words))


# ---- The contract between dialplan and service -----------------------------------------------------


def test_the_contract_with_the_dialplan_is_whole() -> None:
    """Each variable, event, conversation and folder that both sides know of stands in docs/architecture.md."""
    contract = (REPOSITORY / "docs/architecture.md").read_text("utf-8")
    sources = [
        path.read_text("utf-8")
        for path in TRACKED
        if path.parts[-2:-1] == ("dialplan",) or (path.suffix == ".py" and not {"tests", "bench"} & set(path.parts))
    ]
    code = "\n".join(sources)
    known = set(re.findall(r"\bOV_[A-Z_]*[A-Z]\b", re.sub(r"\b__?OV_", "OV_", code)))
    told = set(re.findall(r"\bOV_[A-Z_]*[A-Z]\b", contract))
    assert (sorted(known - told), sorted(told - known)) == ([], [])
    for what in (r"UserEvent\((Ov\w+)", r"AGI\(\$\{AGI\}/([\w-]+)"):
        names = set(re.findall(what, code))
        assert sorted(name for name in names if f"`{name}`" not in contract) == []

"""What the documents name is there: rules, files, and places that links lead to."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
_RULE = re.compile(r"\b(?:OV|AZ|SO|OP|HL)-\d+\b")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")
#: Named in documents as files of the repository; what else stands in backquotes is a command, a field or an address.
_FOLDERS = ("ivr", "api", "agi_scripts", "dialplan", "tests", "sip-sim", "bench", "deploy", "docs", "requirements")


def _tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=True).stdout
    return [REPOSITORY / name for name in listed.decode().split("\0") if name]


TRACKED = [path for path in _tracked() if path.is_file()]
DOCUMENTS = [path for path in TRACKED if path.suffix == ".md"]


def test_every_rule_that_is_cited_stands_among_the_rules() -> None:
    rules = set(re.findall(r"^- ((?:OV|AZ|SO|OP|HL)-\d+) ", (REPOSITORY / "docs/rules.md").read_text("utf-8"), re.M))
    assert len(rules) > 70
    cited: dict[str, list[str]] = {}
    for path in TRACKED:
        if path.suffix in {".py", ".md", ".j2", ".yaml", ".html"}:
            for rule in _RULE.findall(path.read_text("utf-8")):
                cited.setdefault(rule, []).append(str(path.relative_to(REPOSITORY)))
    assert {rule: where[:3] for rule, where in cited.items() if rule not in rules} == {}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
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


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_files_that_are_named_are_there(document: Path) -> None:
    named = {
        code.partition("::")[0].partition(":")[0]
        for code in _CODE.findall(document.read_text("utf-8"))
        if re.fullmatch(rf"({'|'.join(_FOLDERS)})/[\w./-]+(:+[\w.:]+)?", code)
    }
    assert sorted(name for name in named if not (REPOSITORY / name).exists()) == []

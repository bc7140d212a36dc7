"""Hostile messages are the same for the same seed, of every kind, and lead nowhere but to this machine."""

from __future__ import annotations

import re
from ipaddress import ip_address
from pathlib import Path

from bench.fuzz import Progress, read_corpus, write_corpus
from bench.fuzz_messages import METHODS, Kind, block

_ADDRESS = re.compile(rb"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])")


def test_a_block_is_the_same_whichever_were_made_before() -> None:
    before = block(3, 7, 300, "127.0.0.2", 5999)
    block(3, 6, 300, "127.0.0.2", 5999)
    assert block(3, 7, 300, "127.0.0.2", 5999) == before
    assert block(4, 7, 300, "127.0.0.2", 5999) != before


def test_every_kind_and_method_comes() -> None:
    made = [one for number in range(3) for one in block(1, number, 1000, "127.0.0.2", 5999)]
    assert {one.kind for one in made} == set(Kind)
    assert {one.method for one in made} >= set(METHODS)


def test_only_this_machine_is_named() -> None:
    """Asterisk may send something to whatever a message names."""
    for number in range(4):
        for one in block(2, number, 1000, "127.0.0.2", 5999):
            if one.kind in (Kind.RTP, Kind.RTCP, Kind.HEP):
                continue
            for found in _ADDRESS.findall(one.data):
                if all(int(part) < 256 for part in found.split(b".")):
                    text = ".".join(str(int(part)) for part in found.split(b"."))
                    assert ip_address(text).is_loopback or text in ("0.0.0.0", "255.255.255.255"), one.data


def test_a_run_goes_on_where_it_was_ended(tmp_path: Path) -> None:
    file = tmp_path / "progress.json"
    Progress(seed=5, next_block=12, messages=12000, kinds={"rtp": 3}).write(file)
    assert Progress.read(file, 5).next_block == 12
    assert Progress.read(file, 6).next_block == 0
    file.write_text("{")
    assert Progress.read(file, 5).messages == 0


def test_what_was_sent_last_is_kept_byte_for_byte(tmp_path: Path) -> None:
    made = block(1, 0, 200, "127.0.0.2", 5999)
    write_corpus(tmp_path / "last.jsonl", made)
    assert [(one.kind, one.data) for one in read_corpus(tmp_path / "last.jsonl")] == [
        (one.kind, one.data) for one in made
    ]

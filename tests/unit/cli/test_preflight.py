"""What is said before the line starts on a machine that cannot run it."""

from __future__ import annotations

import shutil
import socket
from collections import namedtuple
from contextlib import closing
from pathlib import Path

import pytest
from sipsim.errors import FarmFailed
from typer.testing import CliRunner

from ivr.__main__ import app
from ivr.cli import preflight
from ivr.desk.load import BUILT_IN
from ivr.errors import BadInput
from ivr.host.ports import check_ports
from ivr.settings import Address, Settings
from ivr.trunks import Trunk


def settings(tmp_path: Path, **changes: object) -> Settings:
    """A line that could run."""
    values: dict[str, object] = {"state": tmp_path, "sip": Address(host="127.0.0.1", port=1)} | changes
    return Settings(**values)  # type: ignore[arg-type]


def test_demo_secrets_are_refused_where_others_can_reach(tmp_path: Path) -> None:
    """Published passwords on a public address are an open door."""
    public = settings(tmp_path, sip=Address(host="0.0.0.0", port=5060))
    with pytest.raises(BadInput, match="--sip"):
        preflight.check_demo_is_private(public)
    preflight.check_demo_is_private(settings(tmp_path, sip=Address(host="0.0.0.0", port=5060), demo=False))
    preflight.check_demo_is_private(settings(tmp_path))
    with pytest.raises(BadInput, match="--http"):
        preflight.check_demo_is_private(settings(tmp_path, http=Address(host="192.0.2.2", port=8080)))
    preflight.check_demo_is_private(settings(tmp_path, http=Address(host="::", port=8080), demo=False))


def test_demo_secrets_are_refused_behind_a_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever names a proxy lets others in by it."""
    monkeypatch.setenv("OMNIVIGIL_PROXIES", "127.0.0.1, 10.0.0.0/24")
    with pytest.raises(BadInput, match="OMNIVIGIL_PROXIES"):
        preflight.check_demo_is_private(settings(tmp_path))
    preflight.check_demo_is_private(settings(tmp_path, demo=False))


@pytest.mark.parametrize("text", ["proxy.example", "10.0.0.1/24", "0.0.0.0/0", "*"])
def test_proxies_that_are_none(text: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And everybody is none: each would be believed whatever they say."""
    monkeypatch.setenv("OMNIVIGIL_PROXIES", text)
    with pytest.raises(BadInput, match="OMNIVIGIL_PROXIES"):
        preflight.check_demo_is_private(settings(tmp_path, demo=False))


@pytest.mark.parametrize("field", ["agi", "ami"])
def test_internal_ports_stay_on_loopback(tmp_path: Path, field: str) -> None:
    """FastAGI has no authentication and AMI no encryption."""
    with pytest.raises(BadInput, match=f"--{field}"):
        preflight.check_internal_addresses(settings(tmp_path, **{field: Address(host="192.0.2.1", port=5000)}))


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_port_in_use_names_its_option(tmp_path: Path, kind: socket.SocketKind) -> None:
    """SIP is looked at on UDP and TCP."""
    with closing(socket.socket(socket.AF_INET, kind)) as taken:
        taken.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(BadInput, match=f"--sip.*{port}"):
            check_ports(settings(tmp_path, sip=Address(host="127.0.0.1", port=port)))


def test_a_state_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """A file where the folder should be, as a read-only disk, is told with the option."""
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match="--state") as error:
        preflight.check_state(tmp_path / "file" / "state")
    assert "cannot be written" in error.value.problem


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Voice messages would soon be lost."""
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9 - 5_000_000, 5_000_000))
    with pytest.raises(BadInput, match="only 5 MB are free"):
        preflight.check_state(tmp_path)


@pytest.mark.parametrize("text", ["5060", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:70000", ":5060", "127.0.0.1:x"])
def test_addresses_that_are_none(text: str) -> None:
    """The error names the option it came from."""
    with pytest.raises(BadInput, match="--sip"):
        Address.parse(text, field="--sip")


def test_settings_survive_being_handed_over(tmp_path: Path) -> None:
    """What the supervisor writes is what the service reads."""
    given = settings(
        tmp_path,
        rtp=(20000, 20100),
        clock_shift_s=-3600.5,
        trunks=(Trunk(host="203.0.113.0/28", identity="asserted"),),
        desks=tmp_path / "desks",
        piper_models=(("fr", "voice.onnx"),),
    )
    given.write(tmp_path / "settings.json")
    assert Settings.read(tmp_path / "settings.json") == given


def test_a_line_that_ran_before_starts_on_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes calls there; away it takes none. The same for a folder that takes nothing at all."""
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9 - 5_000_000, 5_000_000))
    preflight.check_state(tmp_path, before=True)
    (tmp_path / "file").touch()
    preflight.check_state(tmp_path / "file" / "state", before=True)


def test_doctor_says_what_is_wrong_with_the_desk_files(tmp_path: Path) -> None:
    """A mistake, and spoken hours that are other ones."""
    file = tmp_path / "mine.yaml"
    good = (BUILT_IN / "omnivigil.yaml").read_text(encoding="utf-8")
    mine = settings(tmp_path / "state", desks=tmp_path)

    def found(text: str) -> preflight.Finding:
        file.write_text(text, encoding="utf-8")
        return next(one for one in preflight.findings(mine, []) if one.what == "desk files")

    assert found(good).well
    assert "17:00 is said" in found(good.replace("13:00-17:00", "13:00-18:00")).state
    assert "mine.yaml:" in found(good.replace("wait_s: 5", "wait_s: soon")).state


@pytest.mark.parametrize(
    ("url", "told"), [("https://line.example/soutien/", "https://line.example/soutien"), ("", "none")]
)
def test_doctor_says_where_links_lead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, told: str) -> None:
    monkeypatch.setenv("OMNIVIGIL_PUBLIC_URL", url)
    [found] = [one for one in preflight.findings(Settings(state=tmp_path), []) if one.what == "public address"]
    assert found.state.startswith(told)
    assert found.well


def test_what_only_tests_need_is_a_remark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> None:
        raise FarmFailed

    monkeypatch.setattr("ivr.cli.preflight.interpreter.find", none)
    monkeypatch.setattr(preflight, "findings", lambda *_, **__: [preflight._simulator()])
    done = CliRunner().invoke(app, ["doctor", "--state", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "•" in done.output
    assert "✗" not in done.output
    broken = preflight.Finding(what="ports", well=False, state="taken")
    monkeypatch.setattr(preflight, "findings", lambda *_, **__: [preflight._simulator(), broken])
    assert CliRunner().invoke(app, ["doctor", "--state", str(tmp_path)]).exit_code == 1

"""What Asterisk sends and accepts, as text. Source: res_agi of Asterisk 22."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.asterisk import agi_protocol
from ivr.asterisk.agi_protocol import (
    HANGUP,
    AgiGarbage,
    AgiValueError,
    Reply,
    ReplyReader,
    command,
    environment_end,
    other_channel,
    parse_environment,
)


def opening(name: bytes = b"Jos\xc3\xa9", arguments: tuple[bytes, ...] = (b"omnivigil", b"18446664844")) -> bytes:
    """What Asterisk sends first, in its own order, without the blank line."""
    lines = [
        b"agi_network: yes",
        b"agi_network_script: line",
        b"agi_channel: PJSIP/6001-00000001",
        b"agi_uniqueid: 1795375358.1",
        b"agi_callerid: 4185550101",
        b"agi_calleridname: " + name,
        b"agi_dnid: 18446664844",
        b"agi_extension: omnivigil",
        b"agi_accountcode: ",
        b"agi_threadid: 140548790773440",
        *(b"agi_arg_%d: %b" % (number, argument) for number, argument in enumerate(arguments, 1)),
    ]
    return b"\n".join(lines)


class TestOpening:
    def test_reads_every_field(self) -> None:
        fields = parse_environment(opening())
        assert fields["calleridname"] == "José"
        assert fields["accountcode"] == ""
        assert (fields["arg_1"], fields["arg_2"]) == ("omnivigil", "18446664844")

    def test_reads_latin1_where_it_is_not_utf8(self) -> None:
        assert parse_environment(opening(b"Jos\xe9"))["calleridname"] == "José"

    def test_reads_utf8_beside_latin1(self) -> None:
        fields = parse_environment(opening(b"Jos\xe9", ("Québec".encode(),)))
        assert (fields["calleridname"], fields["arg_1"]) == ("José", "Québec")

    def test_strips_control_characters(self) -> None:
        assert parse_environment(opening(b"a\x00b\x1b[0m\x7f\xc2\x85c\t"))["calleridname"] == "ab[0mc"

    @pytest.mark.parametrize("name", [b'say "hi"', b"${SHELL(id)}", b"a: b", b"a\\b", b"4" * 40])
    def test_keeps_names_that_are_only_odd(self, name: bytes) -> None:
        assert parse_environment(opening(name))["calleridname"] == name.decode()

    def test_a_name_with_line_breaks_forges_no_field(self) -> None:
        forged = (
            b"x\r\nagi_channel: PJSIP/7001-1\nagi_arg_1: hotline\nagi_arg_9: more\nagi_extension: other\nagi_dnid: 1"
        )
        fields = parse_environment(opening(forged))
        assert fields["channel"] == "PJSIP/6001-00000001"
        assert fields["extension"] == "omnivigil"
        assert fields["dnid"] == "18446664844"
        assert {name: value for name, value in fields.items() if name.startswith("arg_")} == {
            "arg_1": "omnivigil",
            "arg_2": "18446664844",
        }

    def test_a_forged_thread_adds_no_argument(self) -> None:
        fields = parse_environment(opening(b"x\nagi_threadid: 1\nagi_arg_3: more"))
        assert "arg_3" not in fields

    def test_ends_at_the_blank_line(self) -> None:
        assert environment_end(opening() + b"\n\n200 ") == len(opening())

    def test_a_blank_line_inside_a_name_is_not_the_end(self) -> None:
        whole = opening(b"x\n\nagi_arg_1: y")
        assert environment_end(whole[:-20]) == -1
        assert environment_end(whole + b"\n\n") == len(whole)

    @pytest.mark.parametrize("size", range(0, 40, 3))
    def test_waits_for_the_rest(self, size: int) -> None:
        assert environment_end(opening()[:size]) == -1

    @pytest.mark.parametrize("garbage", [b"GET / HTTP/1.1\r\n", b"\x16\x03\x01", b"\n\n", b"ag1_"])
    def test_garbage_is_known_at_once(self, garbage: bytes) -> None:
        with pytest.raises(AgiGarbage):
            environment_end(garbage)

    def test_refuses_a_header_of_a_megabyte(self) -> None:
        with pytest.raises(AgiGarbage, match="too large"):
            environment_end(b"agi_network: " + b"x" * 1_000_000)

    def test_refuses_too_many_lines(self) -> None:
        with pytest.raises(AgiGarbage, match="too many lines"):
            parse_environment(b"\n".join(b"agi_arg_%d: x" % n for n in range(101)))

    @given(st.binary(max_size=300))
    def test_any_bytes_are_an_opening_or_garbage(self, raw: bytes) -> None:
        try:
            end = environment_end(raw)
            if end >= 0:
                fields = parse_environment(raw[:end])
                assert all(not any(ord(c) < 32 for c in value) for value in fields.values())
        except AgiGarbage:
            pass


class TestReplies:
    @pytest.mark.parametrize(
        ("line", "reply"),
        [
            ("200 result=0", Reply(code=200, result="0")),
            ("200 result=-1", Reply(code=200, result="-1")),
            ("200 result=53 endpos=800", Reply(code=200, result="53")),
            ("200 result=-1 endpos=5600", Reply(code=200, result="-1")),
            ("200 result= (timeout)", Reply(code=200, result="", data="timeout")),
            ("200 result=12 (timeout)", Reply(code=200, result="12", data="timeout")),
            ("200 result=1 ()", Reply(code=200, result="1", data="")),
            ("200 result=1 (a (b) c)", Reply(code=200, result="1", data="a (b) c")),
            ("200 result=0 (hangup) endpos=-1", Reply(code=200, result="0", data="hangup")),
            ("510 Invalid or unknown command", Reply(code=510, result="", data="Invalid or unknown command")),
            ("511 Command Not Permitted", Reply(code=511, result="", data="Command Not Permitted")),
        ],
    )
    def test_reads(self, line: str, reply: Reply) -> None:
        assert ReplyReader().feed(line.encode() + b"\n") == [reply]

    @pytest.mark.parametrize("line", [b"hello", b"200", b"200 rubbish", b"600 result=1", b"agi_arg_1: x"])
    def test_refuses_what_is_not_a_reply(self, line: bytes) -> None:
        with pytest.raises(AgiGarbage):
            ReplyReader().feed(line + b"\n")

    def test_usage_is_one_reply(self) -> None:
        usage = b"520-Invalid command syntax.  Proper usage follows:\n200 result=1 (example)\nHANGUP\n"
        got = ReplyReader().feed(usage + b"520 End of proper usage.\n200 result=1\n")
        assert got == [Reply(code=520, result="", data="End of proper usage."), Reply(code=200, result="1")]

    def test_usage_without_text_is_one_reply(self) -> None:
        got = ReplyReader().feed(b"520 Invalid command syntax.  Proper usage not available.\n")
        assert [reply.code for reply in got] == [520]

    def test_a_value_with_line_breaks_is_one_reply(self) -> None:
        got = ReplyReader().feed(b"200 result=1 (first\nHANGUP\n200 result=0\nlast)\n200 result=1\n")
        assert [reply.data for reply in got] == ["firstHANGUP200 result=0last", None]

    def test_a_value_may_be_latin1(self) -> None:
        assert ReplyReader().feed(b"200 result=1 (Jos\xe9)\n")[0].data == "José"

    def test_hangup_stands_between_replies(self) -> None:
        got = ReplyReader().feed(b"200 result=0\nHANGUP\n200 result=1\n")
        assert [reply is HANGUP for reply in got] == [False, True, False]

    def test_however_it_is_cut(self) -> None:
        """Packets end anywhere."""
        stream = "200 result=53 endpos=8\n200 result=1 (é\nè)\nHANGUP\n520-Usage:\n  x\n520 End.\n511 Dead\n".encode()
        whole = ReplyReader().feed(stream)
        assert len(whole) == 5
        for cut in range(len(stream)):
            reader = ReplyReader()
            assert reader.feed(stream[:cut]) + reader.feed(stream[cut:]) == whole
        reader = ReplyReader()
        assert [reply for byte in stream for reply in reader.feed(bytes([byte]))] == whole

    @pytest.mark.parametrize("endless", [b"x" * 1000, b"200 result=1 (" + b"x" * 1000 + b"\n"])
    def test_refuses_a_reply_without_end(self, endless: bytes) -> None:
        reader = ReplyReader()
        for _ in range(agi_protocol.MAX_REPLY_BYTES // len(endless)):
            assert reader.feed(endless) == []
        with pytest.raises(AgiGarbage, match="too large"):
            reader.feed(endless)


class TestCommands:
    def test_quotes_every_argument(self) -> None:
        assert command("SET VARIABLE", "A", "b c") == b'SET VARIABLE "A" "b c"\n'

    def test_escapes_quotes_and_backslashes(self) -> None:
        assert command("SET VARIABLE", "A", 'say "a\\b"') == b'SET VARIABLE "A" "say \\"a\\\\b\\""\n'

    def test_sends_utf8(self) -> None:
        assert command("NOOP", "é") == 'NOOP "é"\n'.encode()

    @pytest.mark.parametrize("value", ["a\nEXEC System x", "a\rb", "a\x00b", "a\x85b", "${SHELL(id)}", "$[1+1]"])
    def test_refuses_what_would_mean_something_else(self, value: str) -> None:
        with pytest.raises(AgiValueError):
            command("SET VARIABLE", "A", value)

    def test_refuses_a_line_that_asterisk_would_cut(self) -> None:
        with pytest.raises(AgiValueError, match="too long"):
            command("SET VARIABLE", "A", "é" * 4000)

    def test_a_lone_dollar_is_harmless(self) -> None:
        assert command("NOOP", "25 $") == b'NOOP "25 $"\n'


def test_another_channel_is_asked_by_a_plain_function_only() -> None:
    """What is expanded is ours; the channel's name is a value like any other."""
    line = other_channel("CHANNEL(pjsip,target_uri)", 'PJSIP/6001-0000"1')
    assert line == b'GET FULL VARIABLE "${CHANNEL(pjsip,target_uri)}" "PJSIP/6001-0000\\"1"\n'
    for function in ("SHELL(id)}${x", "CHANNEL(${x})", "CHANNEL", "EVAL(a)\n", 'X(")'):
        with pytest.raises(AgiValueError):
            other_channel(function, "PJSIP/6001-1")
    with pytest.raises(AgiValueError):
        other_channel("CHANNEL(state)", "${x}")

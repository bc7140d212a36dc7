"""The files that set devices up: told by their names, and well-formed whatever is in them."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.provisioning.phones import FILES, Account, Asked, Make, asked, render, render_index

ACCOUNT = Account(
    name="6900",
    secret="Ab3dE6gH9jKmNpQrStUv",
    display="Clinique « Été » & fils",
    host="sip.example",
    port=5060,
    transport="udp",
    language="fr",
    codecs=("g722", "ulaw"),
)
MAC = "001565aabbcc"
#: What the directory may have in a name: anything on one line.
NAMES = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=100)


@pytest.mark.parametrize(
    ("file", "agent", "found"),
    [
        ("001565aabbcc.cfg", "Yealink SIP-T46S 66.86.0.15", Asked(make="yealink", mac=MAC)),
        ("001565AABBCC.cfg", "", Asked(make="yealink", mac=MAC)),
        ("001565aabbcc.cfg", "FileTransport PolycomVVX-VVX_410-UA/6.3", Asked(make="polycom", mac=MAC, index=True)),
        ("polycom-001565aabbcc.cfg", "FileTransport Polycom", Asked(make="polycom", mac=MAC)),
        ("cfg001565aabbcc.xml", "Grandstream Model HW GXP2160", Asked(make="grandstream", mac=MAC)),
        ("001565aabbcc.xml", "Cisco-CP-8841-3PCC", Asked(make="cisco", mac=MAC)),
        ("linphone.xml", "", Asked(make="linphone", mac=None)),
        ("y000000000028.cfg", "Yealink", None),
        ("000000000000.cfg.j2", "", None),
        ("..", "", None),
        ("001565aabbcc.cfg\n", "", None),
    ],
)
def test_the_files_name_tells_the_device(file: str, agent: str, found: Asked | None) -> None:
    assert asked(file, agent) == found


def settings(text: str) -> dict[str, str]:
    """A Yealink file's values."""
    assert text.startswith("#!version:1.0.0.1\n")
    lines = [line for line in text.splitlines()[1:] if line]
    assert all(" = " in line or line.endswith(" =") for line in lines)
    return {name.strip(): value.strip() for name, _, value in (line.partition("=") for line in lines)}


def test_each_has_the_account_the_server_and_the_keys() -> None:
    for make in FILES:
        text = render(make, ACCOUNT)
        assert all(one in text for one in ("6900", ACCOUNT.secret, "sip.example", "611", "*57")), make
    assert settings(render("yealink", ACCOUNT)) | {
        "account.1.password": ACCOUNT.secret,
        "account.1.label": "Clinique « Été » & fils",
        "account.1.codec.pcmu.priority": "2",
        "linekey.2.value": "611",
        "linekey.3.value": "*57",
    } == settings(render("yealink", ACCOUNT))
    (account,) = ElementTree.fromstring(render("polycom", ACCOUNT)).findall("reg")  # noqa: S314 - ours
    assert account.get("reg.1.displayName") == "Clinique « Été » & fils"
    assert ElementTree.fromstring(render("grandstream", ACCOUNT)).findtext("config/P34") == ACCOUNT.secret  # noqa: S314
    assert ElementTree.fromstring(render("cisco", ACCOUNT)).findtext("Proxy_1_") == "sip.example:5060"  # noqa: S314
    entry = ElementTree.fromstring(render("linphone", replace(ACCOUNT, host="2001:db8::1", transport="tcp")))  # noqa: S314
    proxy = entry.find(".//*[@name='reg_proxy']")
    assert proxy is not None
    assert proxy.text == "<sip:[2001:db8::1]:5060;transport=tcp>"


def test_polycoms_list_names_the_file_and_holds_no_secret() -> None:
    listed = ElementTree.fromstring(render_index(MAC))  # noqa: S314
    assert listed.get("CONFIG_FILES") == FILES["polycom"].format(mac=MAC)


@given(
    NAMES | st.sampled_from(['"/><x a="', "]]>", "{{ 7 * 7 }}", "a\x85b", "a\nb = c"]), st.sampled_from(sorted(FILES))
)
def test_they_are_well_formed_whatever_a_phone_is_called(display: str, make: Make) -> None:
    plain, text = render(make, replace(ACCOUNT, display="x")), render(make, replace(ACCOUNT, display=display))
    if make == "yealink":
        assert settings(text).keys() == settings(plain).keys()
    else:
        shape = [[one.tag for one in ElementTree.fromstring(each).iter()] for each in (plain, text)]  # noqa: S314
        assert shape[0] == shape[1]

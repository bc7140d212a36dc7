"""What a phone is given to register with: to read, as a picture that softphones take, and as a file for Linphone."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from urllib.parse import quote
from xml.sax.saxutils import escape, quoteattr

import segno
from fastapi import Request
from markupsafe import Markup

from api.console.pages import line_of
from ivr.provisioning.phones import server_of


@dataclass(frozen=True, kw_only=True)
class HandedOver:
    """A phone's way in. `picture` is SVG, `file` an address that holds the whole file (RFC 2397)."""

    name: str
    secret: str
    server: str
    uri: str
    picture: Markup
    file: str
    file_name: str


def of(request: Request, name: str, secret: str) -> HandedOver:
    """Return what a phone of this name is given."""
    has = line_of(request)
    server = server_of(has.sip, request.url.hostname or "localhost")
    # RFC 3261 section 19.1.1 has room for a password; it is on paper and on a screen for a moment, never on the wire.
    uri = f"sip:{name}:{quote(secret, safe='')}@{server}"
    text = linphone(name, secret, server)
    return HandedOver(
        name=name,
        secret=secret,
        server=server,
        uri=uri,
        picture=drawn(uri),
        file=f"data:application/xml;base64,{base64.b64encode(text.encode()).decode()}",
        file_name=f"linphone-{name}.xml",
    )


def drawn(text: str) -> Markup:
    """A text as a QR code, in SVG."""
    made = segno.make(text, error="m").svg_inline(scale=5, svgclass="qr", light="#fff")
    return Markup(made)  # noqa: S704 - drawn here, of squares and without text


def linphone(name: str, secret: str, server: str) -> str:
    """A configuration that Linphone takes from a file or an address."""
    values = {
        "auth_info_0": {"username": name, "passwd": secret, "realm": "omnivigil"},
        "proxy_0": {"reg_proxy": f"<sip:{server}>", "reg_identity": f"sip:{name}@{server}", "reg_sendregister": "1"},
        "sip": {"default_proxy": "0"},
    }
    sections = "".join(
        f"  <section name={quoteattr(section)}>\n"
        + "".join(
            f'    <entry name={quoteattr(key)} overwrite="true">{escape(value)}</entry>\n'
            for key, value in entries.items()
        )
        + "  </section>\n"
        for section, entries in values.items()
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<config xmlns="http://www.linphone.org/xsds/lpconfig.xsd">\n'
        f"{sections}</config>\n"
    )

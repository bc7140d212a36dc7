"""The words of HTML and of enriched text, in time that grows with their length only. Pure."""

from __future__ import annotations

import re
from html import unescape
from typing import Final

#: Names have colons and hyphens too: <o:p>, <st1:PersonName>, <amp-img>.
_TAG: Final = re.compile(r"<(?:(/?)([a-zA-Z][a-zA-Z0-9:._-]{0,60})(?=[\s/>])|[!?])")
_SILENT: Final = frozenset({"script", "style", "head", "title", "template", "xml", "o:shapedefaults"})
_BREAKS: Final = frozenset(
    {"br", "p", "div", "tr", "li", "h1", "h2", "h3", "h4", "table", "ul", "ol", "blockquote", "pre", "hr", "dt", "dd"}
)
_ENRICHED: Final = re.compile(r"<(/?)([a-zA-Z0-9-]{1,60})>")


def from_html(text: str) -> str:
    """Return what a reader sees. The standard library's parser takes far longer than this."""
    found: list[str] = []
    at, silent = 0, ""
    while at < len(text):
        tag = _TAG.search(text, at)
        opening = len(text) if tag is None else tag.start()
        if not silent and opening > at:
            found.append(re.sub(r"\s+", " ", text[at:opening]))
        if tag is None:
            break
        end_of_tag = "-->" if text.startswith("!--", opening + 1) else ">"
        end = text.find(end_of_tag, opening + 1)
        if end < 0:
            break
        at = end + len(end_of_tag)
        closes, name = tag[1] == "/", (tag[2] or "").lower()
        if silent:
            # A head that is never closed must not silence everything.
            silent = "" if (closes and name == silent) or name == "body" else silent
        elif name in _SILENT:
            silent = "" if closes or text[end - 1] == "/" else name
        elif name in _BREAKS:
            found.append("\n")
        elif name in ("td", "th"):
            found.append(" ")
    words = unescape("".join(found)).replace("\xa0", " ")
    return "\n".join(" ".join(line.split()) for line in words.split("\n"))


def from_enriched(text: str) -> str:
    """The words of text/enriched (RFC 1896) and of text/richtext (RFC 1341), without their commands."""
    text = text.replace("\r\n", "\n").replace("<<", "\x01")
    found: list[str] = []
    at, within = 0, 0
    for tag in _ENRICHED.finditer(text):
        name = tag[2].lower()
        if not within:
            found.append(text[at : tag.start()])
        at = tag.end()
        if name == "param":
            within = 0 if tag[1] else 1
        elif name in ("nl", "paragraph", "lt"):
            found.append("<" if name == "lt" else "\n")
    found.append(text[at:] if not within else "")
    return "".join(found).replace("\x01", "<")

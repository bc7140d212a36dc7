"""A report as PDF, in type that every reader has: no font is shipped."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from fpdf import FPDF

#: What Windows-1252, which the standard fonts know, does not have.
_PLAIN = str.maketrans({"\u202f": " ", "\u2009": " ", "\u2011": "-", "\u2212": "-"})


def written(
    *, title: str, subtitle: str, language: str, sections: Sequence[tuple[str, Sequence[Sequence[str]]]], at: datetime
) -> bytes:
    """The document: headings, and paragraphs of lines. What the fonts do not have is shown as a question mark."""
    document = FPDF(format="letter")
    document.core_fonts_encoding = "windows-1252"
    document.set_creation_date(at)
    document.set_title(_fit(title))
    document.set_lang(f"{language}-CA")
    document.set_margin(20)
    document.set_auto_page_break(True, margin=20)
    document.add_page()
    document.set_font("helvetica", "B", 18)
    document.multi_cell(0, 9, _fit(title), new_x="LMARGIN", new_y="NEXT")
    document.set_font("helvetica", "", 11)
    document.multi_cell(0, 6, _fit(subtitle), new_x="LMARGIN", new_y="NEXT")
    for heading, paragraphs in sections:
        document.ln(5)
        document.set_font("helvetica", "B", 13)
        document.multi_cell(0, 7, _fit(heading), new_x="LMARGIN", new_y="NEXT")
        document.set_font("helvetica", "", 11)
        for lines in paragraphs:
            document.multi_cell(0, 5.5, _fit("\n".join(lines)), new_x="LMARGIN", new_y="NEXT")
            document.ln(2)
    return bytes(document.output())


def _fit(text: str) -> str:
    return text.translate(_PLAIN).encode("windows-1252", "replace").decode("windows-1252")

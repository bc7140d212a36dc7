"""What a browser without scripts would send of a page's form."""

from __future__ import annotations

import html
import re


def fields(page: str) -> dict[str, str]:
    """The fields of the first form of a page's content, without its token against forgery."""
    form = page[page.index("<main") :]
    form = form[form.index("<form") : form.index("</form>")]
    found: dict[str, str] = {}
    for tag in re.findall(r"<input [^>]*>", form):
        name, value = (re.search(rf' {what}="([^"]*)"', tag) for what in ("name", "value"))
        box = 'type="checkbox"' in tag
        if name and (not box or " checked" in tag):
            found[name[1]] = html.unescape(value[1]) if value else "on" if box else ""
    for called, body in re.findall(r'<select name="([^"]*)"[^>]*>(.*?)</select>', form, re.DOTALL):
        chosen = re.search(r'<option value="([^"]*)" selected', body)
        found[called] = html.unescape(chosen[1]) if chosen else ""
    for called, text in re.findall(r'<textarea name="([^"]*)"[^>]*>(.*?)</textarea>', form, re.DOTALL):
        # The first line break is not the text's, and others are sent as two characters.
        plain = html.unescape(text).replace("\r\n", "\n").removeprefix("\n")
        found[called] = plain.replace("\n", "\r\n")
    return {name: value for name, value in found.items() if name != "csrf"}

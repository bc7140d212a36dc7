"""Which Python the process of the phones runs in: it needs PJSIP's bindings, whose wheels end at Python 3.12."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from sipsim.errors import FarmFailed

#: Starts an unpacked Python 3.11 that has the bindings; where this Python is a later one, `ivr.tools.pjsip_python` puts
#: it there.
EMBEDDED = Path(__file__).parents[2] / "var" / "phones" / "python"


def find(embedded: Path = EMBEDDED) -> str:
    """The program: this Python where it has the bindings, else the embedded one. Raises FarmFailed with the mend."""
    if importlib.util.find_spec("pjsua2") is not None:
        return sys.executable
    if embedded.exists():
        return str(embedded)
    version = ".".join(map(str, sys.version_info[:2]))
    raise FarmFailed(f"no PJSIP bindings for Python {version}: run ./omnivigil test or ./omnivigil sim, which get them")

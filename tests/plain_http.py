"""For clients that speak plain HTTP."""

from __future__ import annotations

import ssl

#: Given as `verify`: without it each of httpx's clients reads every certificate of the machine, which takes longer than
#: what it is made for.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

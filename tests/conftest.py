"""What holds for every test: invented examples are judged by what comes out, never by how long a busy machine takes."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("omnivigil", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("omnivigil")

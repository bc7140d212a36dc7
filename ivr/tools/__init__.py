"""Programs unpacked for development and tests: Debian packages, Chromium, PostgreSQL, a Python for PJSIP."""

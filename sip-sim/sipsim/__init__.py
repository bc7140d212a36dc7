"""Phones that dial, press, listen and judge: the line's callers, technicians and witnesses in tests."""

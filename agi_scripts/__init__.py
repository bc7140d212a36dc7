"""One conversation a file: what the caller hears and presses, in order."""

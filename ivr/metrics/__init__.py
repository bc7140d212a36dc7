"""How the line does, in figures for Prometheus: no person can be found in them, and their number is bounded."""

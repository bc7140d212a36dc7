"""Backup and restore: one file with all that cannot be made anew (docs/reliability.md)."""

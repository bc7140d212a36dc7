"""Backup and restore: one file with all that cannot be made again (docs/reliability.md)."""

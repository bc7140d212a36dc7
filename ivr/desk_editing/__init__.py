"""Desk files that are changed from the console and the API, and written back with their comments."""

"""Accounts of the console: who may sign in, as what, and what they did."""

"""The record of each call, gathered in memory and written in batches."""

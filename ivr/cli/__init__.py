"""The commands of `./omnivigil`, one per file; `ivr.__main__` parses their arguments."""

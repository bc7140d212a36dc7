"""Sets phones up: each fetches its configuration once, from an address that is good for one phone and one day."""

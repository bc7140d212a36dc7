"""`./omnivigil demo`: people who are not there use the line, so that visitors see it alive."""

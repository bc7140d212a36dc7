"""`./omnivigil demo`: people who are not there use the line, so that whoever looks at it sees it alive."""

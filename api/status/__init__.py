"""The public status page: no token, no script, nothing of any customer."""

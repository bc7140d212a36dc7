"""The database's shape: every feature's tables, and the steps from one version of them to the next."""

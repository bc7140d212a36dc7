"""What happened on each call, gathered in memory and written in batches."""

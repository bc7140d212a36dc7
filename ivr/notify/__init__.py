"""What has to be told to somebody: rows that are written together with what they tell."""

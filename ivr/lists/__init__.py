"""Lists as people and their spreadsheets send them."""

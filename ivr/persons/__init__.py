"""What is known about one person: listed, exported and erased when they ask for it (Quebec's Law 25)."""

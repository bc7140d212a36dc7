"""A desk as data: its numbers, menu, departments, hours and texts, and the pure rules that read them."""

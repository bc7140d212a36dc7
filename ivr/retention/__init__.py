"""Callers' personal data is kept as long as the desk file says, and then erased (Quebec's Law 25)."""

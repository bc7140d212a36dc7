"""How good a call was, from its figures: the score of each direction, and on whose side a fault is. Pure."""

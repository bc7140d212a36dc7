"""What the line says: texts in each language, the voices that speak them, and the sounds made from both."""

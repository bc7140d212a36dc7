"""Simulated phones that dial, press, answer, listen and recognise; and load, and a witness of Asterisk's state."""

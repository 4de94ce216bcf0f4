"""Codecs: texts to what a network is trained on, and what it puts out to readings."""

"""Labelling in the terminal."""

"""Generators measured beside real images."""

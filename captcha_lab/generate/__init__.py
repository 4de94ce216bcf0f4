"""Generators: networks, losses, constraints, recipes, the training loop and sampling."""

"""Losses, constraints on the critic, and remedies for collapse."""

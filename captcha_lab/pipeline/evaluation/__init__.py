"""Chains the stages for `eval`: data, readers, generators, report."""

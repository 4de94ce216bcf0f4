"""Drawing from a trained generator."""

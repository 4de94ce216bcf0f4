"""The independent judge and other networks that measure."""

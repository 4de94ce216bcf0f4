"""What to ask a human next, so that a label given once reaches every look-alike."""

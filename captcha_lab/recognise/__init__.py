"""The recogniser: network, training and reading."""

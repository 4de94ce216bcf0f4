"""Attributes read off faces: the network, its training and its reader."""

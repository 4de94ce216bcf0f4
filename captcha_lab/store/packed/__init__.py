"""Packed sets: the HDF5 files that training reads."""

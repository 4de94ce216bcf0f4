"""Readers: each file is one kind, found by looking into this folder (see `registry`)."""

"""The catalog: the system of record of a dataset."""

"""Measures as pure functions on arrays: nothing here opens a file, knows a model or draws without a seed."""

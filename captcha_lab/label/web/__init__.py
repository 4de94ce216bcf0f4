"""The review page: a small local server and the page it serves."""

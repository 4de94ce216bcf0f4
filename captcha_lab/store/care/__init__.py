"""Care over time: look through a workspace, remove what is left over, keep a dataset in one file."""

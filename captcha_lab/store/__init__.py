"""What is kept: the workspace's folders, received bytes, the catalog, packed sets and runs."""

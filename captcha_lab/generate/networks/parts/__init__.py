"""Parts of networks: layers, normalisation, heads, first weights."""

"""Picture files walked block by block before any decoder sees them: one module for each format."""

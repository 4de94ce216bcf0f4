"""Parts of a page that needs no network: tables, tiles, pictures, plots."""

"""Assets of the catalog and platforms, as plain data. Standard library only."""

"""What there is to catalog, as plain data. Standard library only."""

"""A DataHub server, read as a catalog."""

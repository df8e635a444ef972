"""Reads a DataHub server as a catalog."""

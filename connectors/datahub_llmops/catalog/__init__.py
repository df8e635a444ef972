"""Reads catalogs: one protocol for a local file and for a DataHub server."""

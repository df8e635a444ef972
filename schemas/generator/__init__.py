"""Generates Python classes, structured properties, tables of the documentation, and the archive from the PDL."""

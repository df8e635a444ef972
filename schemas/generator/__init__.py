"""Writes what is generated from the PDL: Python classes, structured properties, tables, the archive."""

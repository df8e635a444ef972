"""Reads and writes a whole catalog in one SQLite file. A DataHub sink writes it."""

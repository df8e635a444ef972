"""A whole catalog in one SQLite file: reading it, and the DataHub sink that writes it."""

"""The questions that the command and the Python API ask a catalog, with their answers as plain data."""

"""Traces the output columns of SQL statements to the columns that they read."""

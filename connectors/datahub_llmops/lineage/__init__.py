"""Finds the upstream of a collection: from declared jobs, from SQL and from payload values."""

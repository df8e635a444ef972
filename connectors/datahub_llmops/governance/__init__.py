"""Checks whether an index can be trusted: questions to a catalog, answered with ok, not ok or not known."""

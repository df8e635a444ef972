"""The connector of Weave."""

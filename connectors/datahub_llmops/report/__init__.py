"""The report: a catalog, or a part of it, as one file that people open, print and send."""

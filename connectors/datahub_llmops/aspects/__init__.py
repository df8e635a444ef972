"""Typed aspects of this package: generated classes, the model plugin, and which aspects a server accepts."""

"""Typed aspects of this plugin: the generated classes, what a server admits of them, the model plugin."""

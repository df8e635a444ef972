"""Hooks into LlamaIndex."""

"""Hooks into LangChain."""

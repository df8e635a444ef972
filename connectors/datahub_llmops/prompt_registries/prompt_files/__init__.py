"""Prompts in files: the source ``llm-prompt-files``."""

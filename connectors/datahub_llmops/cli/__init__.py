"""The command `datahub-llmops`."""

"""``llm-runs``: what the hooks stored becomes lineage and usage in the catalog."""

"""``llm-runs`` turns what the hooks recorded into lineage and usage in the catalog."""

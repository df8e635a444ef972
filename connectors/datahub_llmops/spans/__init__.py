"""The source ``llm-spans``: lineage and usage from the spans that tracing already records."""

"""Applications in the catalog: whoever saw one, it is one asset, written by the same code."""

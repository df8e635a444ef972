"""DataHub plugin for LLM systems: vector indexes, embedding jobs, prompts and retrievers, with lineage."""

__version__ = "0.1.0"

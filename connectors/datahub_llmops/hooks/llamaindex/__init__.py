"""What hooks into LlamaIndex."""

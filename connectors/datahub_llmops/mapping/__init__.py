"""Facts to DataHub aspects; pure functions, no I/O."""

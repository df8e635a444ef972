"""Where spans are stored: one module for each kind of place."""

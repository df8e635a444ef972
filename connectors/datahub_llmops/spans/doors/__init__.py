"""Where spans lie: one module for each kind of place."""

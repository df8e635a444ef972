"""Interprets recorded answers: it finds URNs for what they used, traces them back to columns, and adds up costs."""

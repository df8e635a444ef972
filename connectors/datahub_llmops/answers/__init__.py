"""Recorded answers, understood: URNs of what they used, the way back to columns, prices and sums."""

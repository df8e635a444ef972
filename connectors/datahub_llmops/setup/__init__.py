"""What ``init`` and ``doctor`` find on a machine, try, and write."""

"""What a notebook shows of an answer: HTML without scripts, which follows the notebook's light or dark theme."""

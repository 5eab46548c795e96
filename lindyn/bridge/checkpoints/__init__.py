"""Checkpoints of anyone's code, opened without running any of it, as modules under names free of their layout."""

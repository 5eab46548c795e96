"""The closed-form rules."""

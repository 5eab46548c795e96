"""Tables of the papers as training studies."""

"""How things show themselves: a record in one short line or, in a notebook, as a table; HTML by function calls."""

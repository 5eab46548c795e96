"""Measure a network: one pass over its features, block sums, bootstrap draws, linear maps of the predictor."""

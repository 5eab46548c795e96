"""Training: BYOL and SimSiam with any predictor, from a two-minute CPU run to many GPUs."""

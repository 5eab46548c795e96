"""Predictors as torch layers: set by a closed-form rule, or trained by gradient."""

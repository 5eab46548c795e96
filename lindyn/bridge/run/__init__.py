"""What is known of a training run, and the theory of it."""

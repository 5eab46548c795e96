"""Hold a real network against the theory: read a checkpoint, gather its features, test the laws, say what follows."""

"""Where the features of a checkpoint come from: arrays, files, or the network's own images."""

"""What is seen of a network while it trains: readings of F and W_p, the trace, the collapse alarm."""

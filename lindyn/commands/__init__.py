"""One module per subcommand, each with `TABLE`, `add_parser` and `run`; heavy imports wait until a command runs."""

"""Files as they are stored: what killed writers left, checksums of lines, and limits for what a stranger wrote.

`litter` knows the drafts of killed processes, `lines` are JSON lines with a checksum each, `limits` are those of text,
JSON and TOML, `archives` those of zip files and arrays in them; `pickle_scan` and `torch_archives` count what a pickle
would make before it is made.
"""

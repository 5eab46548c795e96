"""What the command line does when its reader goes away."""

import subprocess
import sys


def test_a_reader_that_has_seen_enough_is_no_error():
    """The parent closes its end before the listing is written, as `| head` does."""
    words = [sys.executable, "-u", "-m", "lindyn.cli", "reproduce", "--training", "--list"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        errors = process.stderr.read()
    assert process.returncode == 0 and errors == b""

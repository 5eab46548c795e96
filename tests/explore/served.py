"""The explorer as a user starts it: a process of its own, its address read from what it says."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time

WAIT = 180  # s, on a busy machine


class Served:
    """A running `lindyn explore --no-browser`."""

    def __init__(self, *words, cwd=None):
        began = time.perf_counter()
        command = [sys.executable, "-m", "lindyn", "explore", "--no-browser", *map(str, words)]
        env = os.environ | {"PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=cwd,
            env=env,
            start_new_session=True,
        )
        line = self.process.stdout.readline()
        self.said = line
        found = re.search(r"http://127\.0\.0\.1:(\d+)/\S*", line)
        assert found, line + self.process.stdout.read()
        self.address, self.port = found[0], int(found[1])
        self.seconds = time.perf_counter() - began

    def interrupt(self):
        """Press Ctrl-C and return (exit code, what was said)."""
        self.process.send_signal(signal.SIGINT)
        out, _ = self.process.communicate(timeout=WAIT)
        return self.process.returncode, out

    def kill(self):
        self.process.kill()
        self.process.wait(timeout=WAIT)


@contextlib.contextmanager
def served(*words, cwd=None):
    """Give a running explorer and end it, whatever happens."""
    one = Served(*words, cwd=cwd)
    try:
        yield one
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(one.process.pid, signal.SIGKILL)
        one.process.communicate()

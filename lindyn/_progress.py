"""A progress line on a terminal; silent where nobody watches."""

import sys
import time
from typing import TextIO

INTERVAL = 0.2


class Progress:
    """One line that is rewritten in place: label, share done, time left.

    Args:
        label: what is running.
        total: the amount that is 100 %.
        stream: where to write, default standard error; nothing is written unless it is a terminal.
    """

    def __init__(self, label: str, total: float, stream: TextIO | None = None) -> None:
        self.label, self.total = label, total
        self.stream = sys.stderr if stream is None else stream
        self.shown = self.stream.isatty()
        self.start = self.last = time.monotonic()

    def __call__(self, done: float) -> None:
        """Show that `done` of `total` is done."""
        now = time.monotonic()
        if not self.shown or now - self.last < INTERVAL:
            return
        self.last = now
        share = min(max(done / self.total, 1e-9), 1.0)
        left = (now - self.start) * (1 - share) / share
        self.stream.write(f"\r{self.label}: {100 * share:5.1f} %, {left:4.0f} s left ")
        self.stream.flush()

    def close(self) -> None:
        """Wipe the line."""
        if self.shown:
            self.stream.write("\r" + " " * (len(self.label) + 28) + "\r")
            self.stream.flush()

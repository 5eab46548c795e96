"""A progress line on a terminal; silent where nobody watches."""

import os
import sys
import time
from typing import Any, TextIO

INTERVAL = 0.2
TOLD = 0.02  # share done from which on the time left is told
LONG = 60.0  # seconds left past which it is said how long it takes, on a terminal or not
PATIENCE = 5.0  # seconds until that can be told


class Progress:
    """One line that is rewritten in place: label, share done, rate, time left.

    Where minutes lie ahead, that is said once, in a line that stays.

    Args:
        label: what is running.
        total: the amount that is 100 %.
        stream: where to write, default standard error; nothing is written unless it is a terminal.
        unit: what `total` counts, for the rate; "" shows none.
        before: how much was done before this run: it counts as done, not towards rate and time left.
        hint: what would be quicker, said with the time ahead.
    """

    def __init__(
        self,
        label: str,
        total: float,
        stream: TextIO | None = None,
        unit: str = "",
        before: float = 0.0,
        hint: str = "",
    ) -> None:
        self.hint, self.told = hint, False
        self.label, self.total, self.unit, self.before = label, total, unit, before
        self.stream = sys.stderr if stream is None else stream
        self.shown = self.stream.isatty() and os.environ.get("TERM") != "dumb"  # which cannot go back in a line
        self.start = self.last = time.monotonic()
        self.width = 0
        self.bar: Any = None
        self.notebook = stream is None and not self.shown and "ipykernel" in sys.modules

    def __call__(self, done: float) -> None:
        """Show that `done` of `total` is done."""
        now = time.monotonic()
        if now - self.last < INTERVAL:
            return
        self.last = now
        if not self.told and now - self.start > PATIENCE:
            self._tell(done, now - self.start)
        if self.notebook:
            self._in_notebook(done)
        if not self.shown:
            return
        line = self.text(done, now - self.start)
        self.width = max(self.width, len(line))
        self.stream.write("\r" + line.ljust(self.width))
        self.stream.flush()

    def _in_notebook(self, done: float) -> None:
        """Show the share in a bar of tqdm, where it is installed; a run that takes no time shows none."""
        if self.bar is None:
            try:
                from tqdm.auto import tqdm
            except ImportError:
                self.notebook = False
                return
            shape = "{desc}: {percentage:3.0f}% |{bar}| {elapsed}<{remaining}"
            self.bar = tqdm(total=self.total, desc=self.label, leave=False, bar_format=shape)
        self.bar.update(min(done, self.total) - self.bar.n)

    def _tell(self, done: float, elapsed: float) -> None:
        """Say how long it will take, if that is minutes."""
        self.foretell(self.left(done, elapsed))

    def foretell(self, left: float) -> None:
        """Say that so many seconds lie ahead, if that is minutes and was not said."""
        if self.told or left < LONG:
            return
        self.told = True
        self.close()
        self.stream.write(f"lindyn: {self.label} will take about {duration(left)}{self.hint}. Ctrl-C ends it.\n")
        self.stream.flush()

    def left(self, done: float, elapsed: float) -> float:
        """Return the seconds that are left with `done` of `total` after `elapsed` seconds."""
        return elapsed * max(self.total - done, 0.0) / max(done - self.before, 1e-9 * self.total)

    def text(self, done: float, elapsed: float) -> str:
        """Return the line for `done` of `total` after `elapsed` seconds."""
        share = min(max(done / self.total, 1e-9), 1.0)
        fresh = max(done - self.before, 1e-9 * self.total)
        rate = f"{fresh / max(elapsed, 1e-9):,.0f} {self.unit}/s, " if self.unit else ""
        known = fresh >= TOLD * self.total or elapsed >= PATIENCE  # the first steps are small, and say little
        left = f"{duration(self.left(done, elapsed))} left " if known else ""
        return f"{self.label}: {100 * share:5.1f} %, {rate}{left}"

    def close(self) -> None:
        """Wipe the line."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None
        if self.shown:
            self.stream.write("\r" + " " * self.width + "\r")
            self.stream.flush()


def duration(seconds: float) -> str:
    """Return a time span in words."""
    if seconds < 120:
        return f"{seconds:4.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


class Stages:
    """Shows "what: stage, share done" in one line that is rewritten, a stage at a time.

    Args:
        shown: False keeps it silent; it is silent too where standard error is no terminal.
    """

    def __init__(self, shown: bool = True) -> None:
        self.shown = shown and sys.stderr.isatty()
        self.what = ""
        self.line: Progress | None = None
        self.stage = ""

    def begin(self, what: str) -> None:
        """Say what is being done from now on."""
        self.close()
        self.what = what

    def tell(self, stage: str, share: float) -> None:
        """Show that a share of a stage is done; NaN where it is not known."""
        if not self.shown or share != share:
            return
        if self.line is None or stage != self.stage:
            self.close()
            self.line, self.stage = Progress(f"{self.what}: {stage}", 1.0), stage
        self.line(share)

    def close(self) -> None:
        """Wipe the line."""
        if self.line is not None:
            self.line.close()
            self.line = None

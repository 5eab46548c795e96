"""Progress of a validation: one line on a terminal, a stage at a time."""

import sys

from lindyn._progress import Progress


class Stages:
    """Shows "checkpoint: stage, share done" in one line that is rewritten.

    Args:
        shown: False keeps it silent; it is silent too where standard error is no terminal.
    """

    def __init__(self, shown: bool = True) -> None:
        self.shown = shown and sys.stderr.isatty()
        self.what = ""
        self.line: Progress | None = None
        self.stage = ""

    def begin(self, what: str) -> None:
        """Say what is being validated from now on."""
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

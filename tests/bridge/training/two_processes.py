"""Calls of the command line one after the other in each of torchrun's processes: starting takes longer than training.

python -m torch.distributed.run --standalone --nproc-per-node=2 -m tests.bridge.training.two_processes CALLS.json
"""

import contextlib
import io
import json
import os
import sys
from pathlib import Path

from lindyn.cli import main


def call_all(path: Path) -> None:
    """Make the calls of a file {name: words} and write what each said and its exit code beside it."""
    for name, words in json.loads(path.read_text(encoding="utf-8")).items():
        with contextlib.redirect_stderr(io.StringIO()) as said:
            code = main(words)
        answer = {"code": code, "said": said.getvalue()}
        (path.parent / f"{name}.{os.environ['RANK']}.json").write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    call_all(Path(sys.argv[1]))

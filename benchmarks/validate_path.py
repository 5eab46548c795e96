"""How long the path of one `lindyn validate` is: the files whose functions run, and the calls that climb.

python benchmarks/validate_path.py [--climbs no] [--json FILE] [WORDS OF VALIDATE ...]

By default the fixture of solo-learn on 300 digits, which reads, builds, measures, judges, advises and reports. A file
counts where a function or method of it ran while the command ran (not what runs when a module is imported). A climb is
a call from a file into one of a higher room, by the floors that `tests/test_architecture.py` guards; as no import goes
up, what is left are functions handed down.
"""

import contextlib
import io
import sys
import tempfile
import threading
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

from common import arguments, report

ROOT = Path(__file__).parents[1]
FIXTURES = ROOT / "tests" / "bridge" / "validation" / "fixtures"


class CallRecorder:
    """Collects (file of the caller, file of the function) of every call inside the package."""

    def __init__(self, package: Path) -> None:
        self.package = str(package)
        self.calls: set[tuple[str, str]] = set()
        self.names: dict[Any, str] = {}

    def __call__(self, frame: FrameType, event: str, _: Any) -> None:
        """Take one event of the interpreter."""
        if event == "call" and (here := self._file(frame)) and frame.f_code.co_name != "<module>":
            below = frame.f_back
            caller = ""
            while below is not None:
                if there := self._file(below):
                    if below.f_code.co_name == "<module>":
                        return  # a class body, a decorator, a table: what importing runs, not the command
                    caller = caller or there
                below = below.f_back
            self.calls.add((caller, here))

    def _file(self, frame: FrameType) -> str:
        code = frame.f_code
        if code not in self.names:
            name = code.co_filename
            self.names[code] = name[len(self.package) + 1 :] if name.startswith(self.package + "/") else ""
        return self.names[code]


def walked(words: list[str]) -> set[tuple[str, str]]:
    """Return the calls of one command, as (file of the caller, file of the function)."""
    import lindyn
    from lindyn.cli import main

    seen = CallRecorder(Path(lindyn.__file__).parent)
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        threading.setprofile(seen)
        sys.setprofile(seen)
        try:
            code = main(["validate", *words, "--out", str(Path(folder) / "out")])
        finally:
            sys.setprofile(None)
            threading.setprofile(None)  # type: ignore[arg-type]
    if code != 0:
        raise SystemExit(f"lindyn validate {' '.join(words)} ended with {code}.")
    return seen.calls


def climbs(calls: set[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the calls that go from a room to a higher one."""
    sys.path.insert(0, str(ROOT))
    from tests.test_architecture import floors, named

    counted = [(a, b) for a, b in calls if a and "/" in a + b and a != "__init__.py" and b != "__init__.py"]
    return sorted((a, b) for a, b in counted if floors(named(Path(b))) > floors(named(Path(a))))


def room_of(file: str) -> str:
    """Return the room of a file: "bridge/laws" for bridge/laws/balance.py, "" for one at the top."""
    parts = Path(file).parts[:-1]
    return "/".join(parts[:2])


def main() -> None:
    """Print the files by room, and the climbs."""
    parser = arguments(__doc__.splitlines()[0])
    parser.add_argument("--climbs", choices=("yes", "no"), default="yes", help="no: of a tree without floors")
    parser.add_argument("words", nargs="*", help="what follows `lindyn validate`")
    args = parser.parse_args()
    fixture = next((FIXTURES / "solo_learn").glob("*.ckpt"))
    calls = walked(args.words or [str(fixture), "--images", "digits", "--samples", "300"])
    files = {file for _, file in calls}
    found = climbs(calls) if args.climbs == "yes" else []
    rows: list[dict[str, Any]] = [{"room": "all", "files": len(files)}]
    if args.climbs == "yes":
        rows[0]["climbs"] = len(found)
    rooms = Counter(map(room_of, files))
    rows += [{"room": room or "(top)", "files": count} for room, count in sorted(rooms.items())]
    rows += [{"climb": f"{a} -> {b}"} for a, b in found]
    report("Files whose functions run in one lindyn validate", rows, args=args)


if __name__ == "__main__":
    main()

"""Milliseconds from a moved slider of `lindyn explore` to its redraws on the screen, and seconds until it is ready.

python benchmarks/explorer.py [--json FILE] [--repeats 20]

In headless Chromium without a GPU. The map is drawn after the portrait; "map" is from the move of the slider until both
are on the screen. Ready: from the shell until portrait and map are drawn, the browser already open.
"""

import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from common import arguments, report

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.explore import browser
from tests.explore.served import served

SLIDER, STARTS = "dial-alpha_p", 5
NO_CHROMIUM = "There is no Chromium here. Install it (Debian: apt-get install chromium), or name it in LINDYN_CHROMIUM."


def rows(repeats: int) -> list[dict[str, Any]]:
    """Return medians and best values of every wait."""
    with browser.opened() as (context, _):
        ready = []
        for _ in range(STARTS):
            began = time.perf_counter()
            with served() as one:
                tab = browser.ExplorerTab(context, one.address)
                ready.append(time.perf_counter() - began)
                tab.page.close()
        with served() as one:
            tab = browser.ExplorerTab(context, one.address)
            tab.time_redraws(SLIDER, [0.3, -0.3], 2)
            moved = tab.time_redraws(SLIDER, list(np.linspace(-0.5, 0.5, repeats)), 2)
    times = np.array([each[:2] for each in moved])
    waits = {"portrait, ms": times[:, 0], "map, ms": times[:, 1], "map after portrait, ms": np.diff(times)[:, 0]}
    waits |= {"ready, s": np.array(ready)}
    return [
        {"case": name, "median": statistics.median(each), "best": float(min(each)), "repeats": len(each)}
        for name, each in waits.items()
    ]


def main(words: list[str] | None = None) -> None:
    parser = arguments(str(__doc__).partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=20)
    given = parser.parse_args(words)
    if browser.CHROMIUM is None:
        parser.error(NO_CHROMIUM)
    report("Explorer", rows(given.repeats), "slider alpha_p; portrait and map of 100 x 100 runs", given)


if __name__ == "__main__":
    main()

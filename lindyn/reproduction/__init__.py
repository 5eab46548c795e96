"""Reproduce a paper: find its figure scripts, run compute -> check -> draw, collect claims and files.

    from lindyn.reproduction import reproduce
    results = reproduce("tian2021", figure=4, out="pictures")

claims      one statement of a paper beside what was measured; the expected values of a paper (figures.toml)
scripts     where the figure scripts lie, how one is loaded and run, what it writes
everything  all figures of a paper, over a few processes
table       claim / measured / verdict as plain text
stationary  fixed points found on a flow itself, independent of the closed forms
"""

from lindyn.reproduction.claims import Checklist, Claim, expected, listed
from lindyn.reproduction.everything import reproduce
from lindyn.reproduction.scripts import FigureResult, load_numbers, main

__all__ = ["Checklist", "Claim", "FigureResult", "expected", "listed", "load_numbers", "main", "reproduce"]

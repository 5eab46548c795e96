"""Whether two arrays are views of the same samples, and whether many samples are one: looked at on the first ones."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from torch import Tensor

from lindyn.bridge.assumptions import LAWS_ONLY, OTHER, Assumption
from lindyn.bridge.readings import COMPLETE, NONE, PARTIAL, Collapse
from lindyn.bridge.records import FeatureBatch
from lindyn.bridge.watch.collapse_words import DEAD, ONE_POINT, WORDS

EQUAL = 1e-6  # share of the size, as of single precision
ALL = 0.99
SOME = 0.02
SHIFTS = 16
"""Other pairings, by shifts of the rows, that the pairing is held against."""
ERRORS = 3.0
PICKS, WITHIN = 32, 0.01
MOST = 1024
"""So many samples are looked at for their partners."""
CLEAR = 3.0
"""Pairs whose median stands so many deviations above chance pick each other out."""


def of_points(head: FeatureBatch, collapse: Collapse) -> Collapse:
    """Return the word on collapse with what only samples show: many of them at one point, a dead second view.

    Args:
        head: the first samples.
        collapse: the word so far.
    """
    if head.z2 is not None and collapse.word != COMPLETE and _constant(_array(head.z2)):
        why = "All samples are one point in the second view."
        return replace(collapse, word=COMPLETE, alarm=WORDS[2], reason=why, shape="a point in the second view")
    share = _share_at_one_point(_array(head.z1)) if collapse.word == NONE else 0.0
    if share < ONE_POINT:
        return collapse
    alarm = collapse.alarm if collapse.alarm == WORDS[2] else WORDS[1]
    why = f"{100 * share:.0f} % of the samples are one point."
    shape = f"{100 * share:.0f} % of the samples are one point"
    return replace(collapse, word=PARTIAL, alarm=alarm, reason=why, shape=shape)


def of_views(head: FeatureBatch, collapse: Collapse, target: str = "") -> Iterator[Assumption]:
    """Yield what the first samples say on whether the arrays are views of the same samples.

    Args:
        head: the first samples.
        collapse: the word; of features at a point nothing can be said.
        target: "ema", "online", "frozen" or "" where it is not known.
    """
    z1 = _array(head.z1)
    if head.z2 is not None:
        yield from _pair("views", "z2", "the second view of the samples of z1", z1, _array(head.z2), collapse)
    if head.target1 is None:
        return
    t = _array(head.target1)
    if np.mean(_equal(z1, t)) >= ALL:
        if target != "online":
            yield Assumption(
                "target", "target1 is that of another network than z1, but equals it in every row", outcome=OTHER,
                told="that the target is tau times the online network holds by itself (Assumption 1)", reach=LAWS_ONLY,
            )  # fmt: skip
        return
    if head.z2 is not None and np.mean(_equal(_array(head.z2), t)) >= ALL and target != "online":
        yield Assumption("target", "target1 is the target's first view, but equals z2 in every row", outcome=OTHER,
                         told="laws of the target speak of the second view", reach=LAWS_ONLY)  # fmt: skip
        return
    yield from _pair("target", "target1", "the target's features of the samples of z1", z1, t, collapse)


def _pair(about: str, name: str, what: str, a: np.ndarray, b: np.ndarray, collapse: Collapse) -> Iterator[Assumption]:
    taken = f"{name} is {what}"
    equal = float(np.mean(_equal(a, b)))
    if equal >= ALL:
        yield Assumption(about, f"{taken}, but equals it in every row", outcome=OTHER, reach=LAWS_ONLY,
                         told="nothing that needs two views (x, x', the augmentation) can be told")  # fmt: skip
        return
    if equal >= SOME:
        yield Assumption(about, f"{taken}, but equals it in {100 * equal:.0f} % of the rows", reach=LAWS_ONLY)
    a, b = _unit(a), _unit(b)
    if collapse.word == COMPLETE or not np.any(b) or not np.any(a):
        return
    score, error, spread = _pairing(a, b)
    if score <= ERRORS * error:
        words = f"{taken}, but pairs are no nearer than chance has it ({score / error:.1f} standard errors)"
        other = _other_order(a, b)
        told = other or "what needs two views of a sample (x, x', tau, the modes) tells nothing"
        yield Assumption(about, words, outcome=OTHER, told=told, reach=LAWS_ONLY)
        return
    swapped = _swapped(a[:MOST], b[:MOST], spread)
    if swapped >= SOME:
        words = f"{taken}, but in some {100 * swapped:.0f} % of the rows another row's partner"
        yield Assumption(about, words, outcome=OTHER, told="x comes out too small", reach=LAWS_ONLY)


def _array(z: Tensor) -> np.ndarray:
    return z.detach().double().cpu().numpy()


def _constant(z: np.ndarray) -> bool:
    """Return whether features differ from their mean by less than a hundredth of their square."""
    return bool(np.sum((z - z.mean(0)) ** 2) <= DEAD * np.sum(z**2))


def _equal(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return which rows are equal, up to single precision."""
    size = np.linalg.norm(a, axis=1)
    return np.linalg.norm(a - b, axis=1) <= EQUAL * np.where(size > 0, size, 1.0)


def _unit(z: np.ndarray) -> np.ndarray:
    z = z - z.mean(0)
    size = np.linalg.norm(z, axis=1, keepdims=True)
    return np.divide(z, size, out=np.zeros_like(z), where=size > 0)


def _pairing(a: np.ndarray, b: np.ndarray) -> tuple[float, float, float]:
    """Return (mean cosine of pairs over that of other pairings, its standard error, deviation of one by chance)."""
    n = len(a)
    shifts = np.unique(np.linspace(n // 7 + 1, n - 1, SHIFTS).astype(int))
    others = np.stack([np.einsum("ij,ij->i", a, np.roll(b, shift, axis=0)) for shift in shifts])
    own, spread = float(np.mean(np.einsum("ij,ij->i", a, b))), float(others.std())
    return own - float(others.mean()), max(spread / np.sqrt(n), 1e-12), max(spread, 1e-12)


def _other_order(a: np.ndarray, b: np.ndarray) -> str:
    """Return in which other order the rows are pairs, or nothing."""
    orders = {"a row later": np.roll(b, -1, 0), "a row earlier": np.roll(b, 1, 0), "in reverse": b[::-1]}
    for words, turned in orders.items():
        score, error, _ = _pairing(a, turned)
        if score > 2 * ERRORS * error:
            return f"the partners stand {words}"
    return ""


def _swapped(a: np.ndarray, b: np.ndarray, spread: float) -> float:
    """Return the share of rows whose partner is another row, told where pairs pick each other out."""
    cosines = a @ b.T
    own = np.diag(cosines).copy()
    usual = float(np.median(own))
    if usual < CLEAR * spread:
        return 0.0
    np.fill_diagonal(cosines, -1.0)
    best, back = cosines.argmax(1), cosines.argmax(0)
    mutual = back[best] == np.arange(len(a))
    lost = (own < usual / 2) & (cosines.max(1) > usual / 2 + own / 2) & (cosines.max(1) > 0.8 * usual) & mutual
    return float(np.mean(lost))


def _share_at_one_point(z: np.ndarray) -> float:
    """Return the largest share of samples that lie within a hundredth of their spread of one of them."""
    z = z - z.mean(0)
    picks = z[np.linspace(0, len(z) - 1, min(PICKS, len(z))).astype(int)]
    apart = np.maximum(np.sum(z**2, 1)[None] + np.sum(picks**2, 1)[:, None] - 2 * picks @ z.T, 0.0)
    far = float(np.quantile(apart, 0.99))
    return float(np.mean(apart <= WITHIN**2 * far, axis=1).max()) if far > 0 else 0.0

"""Formulas in pages as MathML, which browsers draw without a script; without latex2mathml they stay LaTeX."""

import functools

from lindyn.display.markup import Markup, tag

NAMESPACE = ' xmlns="http://www.w3.org/1998/Math/MathML"'
"""Which HTML has by itself; a page names no address."""


@functools.cache
def formula(latex: str) -> Markup:
    """Return a formula that stands alone in a page.

    Args:
        latex: of ours, never from a file.
    """
    try:
        from latex2mathml.converter import convert
    except ImportError:
        return tag("code", latex)
    return Markup(convert(latex, display="block").replace(NAMESPACE, ""))

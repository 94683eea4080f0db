"""The pictures of charts in notebooks and pages: PNG of at most 128 colours, a third of the bytes."""

from __future__ import annotations

import io
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["picture", "show_small"]

_COLOURS = 128


def picture(figure: Figure) -> bytes:
    """A figure as PNG, cut to what is drawn, in at most 128 colours; the same figure gives the same bytes.

    >>> from matplotlib.figure import Figure
    >>> picture(Figure(figsize=(1, 1)))[1:4]
    b'PNG'
    """
    from PIL import Image

    whole, small = io.BytesIO(), io.BytesIO()
    figure.savefig(whole, format="png", bbox_inches="tight", facecolor="white")
    drawn = Image.open(whole).convert("RGB")
    drawn.quantize(_COLOURS, dither=Image.Dither.NONE).save(small, "png", optimize=True)
    return small.getvalue()


@cache
def show_small(kind: type[Figure]) -> None:
    """Let IPython, where it runs, show the figures of a class by :func:`picture`."""
    from IPython import get_ipython

    shell = get_ipython()
    if shell is not None:
        shell.display_formatter.formatters["image/png"].for_type(kind, picture)

"""Where high begins on an axis: thresholds as written, the cuts they give, and cuts kept from another month."""

from __future__ import annotations

import numpy as np
import pandas as pd

from custvalue.errors import DataError

__all__ = ["ALLOWED", "THRESHOLDS", "cut_of", "kept_cuts", "parse_threshold"]

#: The kinds of threshold; ``frozen`` is a cut brought from another month.
THRESHOLDS = ("median", "mean", "quantile", "share", "amount", "frozen")

#: What a threshold may be, as an error says it.
ALLOWED = '"median", "mean", 0 < q < 1, "amount:5000", "share:0.8" (sales)'


def parse_threshold(threshold: str | float) -> tuple[str, float]:
    """The kind of a threshold and its number (0 where it has none); the kind is empty where it is none of these.

    >>> parse_threshold("share:0.8"), parse_threshold(0.9), parse_threshold("middle")
    (('share', 0.8), ('quantile', 0.9), ('', 0.0))
    """
    if threshold in ("median", "mean"):
        return str(threshold), 0.0
    kind, _, number = str(threshold).rpartition(":")
    try:
        level = float(number)
    except ValueError:
        return "", 0.0
    inside = 0 < level < 1
    fits = {"": inside, "share": inside, "amount": np.isfinite(level)}.get(kind, False)
    return (kind or "quantile", level) if fits else ("", 0.0)


def _share_cut(values: pd.Series, share: float) -> float:
    """The value that the fewest customers who hold ``share`` of the total lie above."""
    ordered = np.sort(values.to_numpy(dtype=float))[::-1]
    held = np.cumsum(ordered)
    if not len(held) or held[-1] <= 0:
        return float("nan")
    n_needed = int(np.argmax(held >= share * held[-1] * (1 - 1e-12))) + 1
    return float(ordered[n_needed]) if n_needed < len(ordered) else float(np.nextafter(ordered[-1], -np.inf))


def cut_of(values: pd.Series, threshold: str | float) -> float:
    """The cut of a threshold among known values; the median where a share of the total has no meaning.

    >>> values = pd.Series([1.0, 2.0, 3.0, 94.0])
    >>> cut_of(values, "median"), cut_of(values, "share:0.9"), cut_of(values, "amount:5")
    (2.5, 3.0, 5.0)
    """
    values = values.dropna()
    kind, level = parse_threshold(threshold)
    if kind == "amount":
        return level
    if kind == "mean":
        return float(values.mean())
    cut = _share_cut(values, level) if kind == "share" else float("nan")
    return float(values.quantile(level if kind == "quantile" else 0.5)) if np.isnan(cut) else cut


def kept_cuts(cuts: tuple[float, float] | pd.DataFrame | None, kind: str, axes: tuple[str, str]) -> dict[str, float]:
    """The kept cut of each axis that has one, of two numbers or of a table with ``kind``, ``cut_of`` and ``cut``.

    Raises ``DataError`` for a table without these columns and for a cut that is no number.

    >>> kept_cuts((30.0, 0.2), "quadrant", ("sales", "margin_rate"))
    {'sales': 30.0, 'margin_rate': 0.2}
    """
    if cuts is None:
        return {}
    if not isinstance(cuts, pd.DataFrame):
        return dict(zip(axes, cuts, strict=True)) if axes[0] != axes[1] else {axes[0]: cuts[0]}
    missing = {"kind", "cut_of", "cut"} - set(cuts)
    if missing:
        raise DataError("cuts_columns", missing=", ".join(sorted(missing)), got=", ".join(map(str, cuts)))
    own = cuts[(cuts["kind"] == kind) & cuts["cut_of"].isin(axes)]
    numbers = pd.to_numeric(own["cut"], errors="coerce")
    if not np.isfinite(numbers).all():
        wrong = own["cut"][~np.isfinite(numbers)].iloc[0]
        raise DataError("cut_not_number", kind=kind, got=str(wrong))
    return dict(zip(own["cut_of"], numbers.astype(float), strict=True))

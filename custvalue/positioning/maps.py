"""The perceptual map: groups of customers against what they buy or are, by correspondence analysis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from custvalue.errors import UsageError, nearest
from custvalue.positioning.rules import PositioningRules

__all__ = ["OTHERS", "PerceptualMap", "correspondence", "perceptual_map"]

#: The code of the point that stands for all smaller categories together.
OTHERS = "~others"

_SIDES = ("group", "category")


@dataclass(frozen=True)
class PerceptualMap:
    """A map of groups against categories.

    ``table``: one row per point; ``axes``: one row per axis; ``inertia``: the whole association (chi-square / n);
    ``p_value``: of no association at all, by the chi-square test; ``beyond_chance``: whether there is something to
    see; ``by``, ``against``: the columns; ``notes``: codes of what a reader must know. See :func:`perceptual_map`.
    """

    table: pd.DataFrame
    axes: pd.DataFrame
    by: str
    against: str
    n: int
    inertia: float
    p_value: float
    beyond_chance: bool
    notes: tuple[str, ...] = ()


def _sides(counts: pd.DataFrame, share: np.ndarray, coordinates: np.ndarray, side: str) -> pd.DataFrame:
    """The points of one side of the table, with the test of each one's profile against that of all others."""
    from scipy.stats import chi2

    rows = counts if side == "group" else counts.T
    masses, inertias = share.sum(axis=1), (coordinates**2).sum(axis=1)
    own = counts.to_numpy(float).sum() * masses * inertias / np.where(masses < 1, 1 - masses, np.nan)
    size = np.maximum((coordinates[:, :2] ** 2 * masses[:, None]).sum(axis=0), 1e-300)
    table = pd.DataFrame({"side": side, "point": [str(code) for code in rows.index]})
    return table.assign(
        n_customers=rows.to_numpy().sum(axis=1).astype("int64"),
        x=coordinates[:, 0],
        y=coordinates[:, 1],
        contribution_x=masses * coordinates[:, 0] ** 2 / size[0],
        contribution_y=masses * coordinates[:, 1] ** 2 / size[1],
        quality=(coordinates[:, :2] ** 2).sum(axis=1) / np.where(inertias > 0, inertias, np.nan),
        p_value=chi2.sf(own, rows.shape[1] - 1),
    )


def _decomposed(share: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Principal coordinates of rows and columns, and the inertia of each axis; the sign is fixed by the columns."""
    rows, columns = share.sum(axis=1), share.sum(axis=0)
    expected = np.outer(rows, columns)
    left, sizes, right = np.linalg.svd((share - expected) / np.sqrt(expected), full_matrices=False)
    sizes, right = sizes[: min(share.shape) - 1], right[: min(share.shape) - 1]
    turn = np.sign(right[np.arange(len(right)), np.abs(right).argmax(axis=1)])
    row_points = left[:, : len(sizes)] * sizes * turn / np.sqrt(rows)[:, None]
    column_points = right.T * sizes * turn / np.sqrt(columns)[:, None]
    missing = max(0, 2 - len(sizes))
    return *(np.pad(points, ((0, 0), (0, missing))) for points in (row_points, column_points)), sizes**2


def correspondence(counts: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """Correspondence analysis of a table of counts: its points, and the inertia of each axis.

    Inertia is chi-square / n; it is split over the axes by the singular values of the standardised residuals
    (p_ij - r_i c_j) / sqrt(r_i c_j). Points are in principal coordinates on both sides, so distances of groups from
    each other, and of categories from each other, are chi-square distances. One row per row and column of the table:
    ``side`` (group, category), ``point``, ``n_customers``, ``x``, ``y``, ``contribution_x``, ``contribution_y`` (share
    of the axis the point makes, adding up to 1 a side), ``quality`` (share of the point's distance that the two axes
    show), ``p_value`` (that the point's profile is that of all others, chi-square). No row or column may be empty.

    Source: M. Greenacre, Theory and Applications of Correspondence Analysis, 1984.

    >>> points, inertias = correspondence(pd.DataFrame([[20, 0], [0, 20]], index=["a", "b"], columns=["u", "v"]))
    >>> inertias.round(6).tolist(), points["x"].round(6).tolist()
    ([1.0], [1.0, -1.0, 1.0, -1.0])
    """
    share = counts.to_numpy(float) / counts.to_numpy(float).sum()
    groups, categories, inertias = _decomposed(share)
    parts = [_sides(counts, share, groups, "group"), _sides(counts, share.T, categories, "category")]
    return pd.concat(parts, ignore_index=True), inertias


def _merged(counts: pd.DataFrame, most: int) -> pd.DataFrame:
    """The ``most`` largest columns; the others, if several, as one."""
    if counts.shape[1] <= most:
        return counts
    sizes = counts.sum().sort_values(ascending=False, kind="stable")
    kept = counts[[column for column in counts if column in set(sizes.index[: most - 1])]]
    return kept.assign(**{OTHERS: counts.drop(columns=kept.columns).sum(axis=1)})


def _counts(table: pd.DataFrame, by: str, against: str, most: int) -> pd.DataFrame:
    allowed = [str(column) for column in table]
    for column in (by, against):
        if column not in table:
            raise UsageError("unknown_column", got=column, nearest=nearest(column, allowed), allowed=", ".join(allowed))
    pairs = table[[by, against]].dropna()
    counts = pairs.groupby([by, against], observed=True).size().unstack(fill_value=0)
    counts.columns = [str(column) for column in counts.columns]
    return _merged(counts, most)


def _axis_ends(points: pd.DataFrame, axis: str, side: str) -> tuple[str, str]:
    """The two points of a side that make most of an axis at its low and its high end; empty where there is none."""
    own = points[points["side"] == side]
    low, high = (own[(own[axis] * sign) > 1e-12] for sign in (-1, 1))
    found = (part.loc[part[f"contribution_{axis}"].idxmax(), "point"] if len(part) else "" for part in (low, high))
    return tuple(found)


def _axes(points: pd.DataFrame, inertias: np.ndarray, n: int, shape: tuple[int, int]) -> pd.DataFrame:
    """What each of the two axes shows; its p-value is Malinvaud's: that nothing but chance is left from it on."""
    from scipy.stats import chi2

    total, rows = inertias.sum(), []
    for number, axis in enumerate(("x", "y")[: len(inertias)]):
        ends = [end for side in _SIDES for end in _axis_ends(points, axis, side)]
        share = inertias[number] / total if total > 0 else np.nan
        freedom = (shape[0] - 1 - number) * (shape[1] - 1 - number)
        rows.append((axis, inertias[number], share, chi2.sf(n * inertias[number:].sum(), freedom), *ends))
    ends = ["low_group", "high_group", "low_category", "high_category"]
    return pd.DataFrame(rows, columns=["axis", "inertia", "share_inertia", "p_value", *ends])


def _nothing(by: str, against: str, n: int, why: str) -> PerceptualMap:
    points = correspondence(pd.DataFrame([[1, 1], [1, 1]]))[0].iloc[:0].assign(sure=pd.Series(dtype=bool))
    return PerceptualMap(points, _axes(points, np.empty(0), 0, (0, 0)), by, against, n, np.nan, np.nan, False, (why,))


def _notes(p_value: float, chance: float, fewest: float, merged: int) -> tuple[str, ...]:
    found = [] if p_value <= chance else ["map_chance"]
    if fewest > 0.2:
        found.append("map_thin")
    return tuple([*found, f"map_merged:{merged:,}"] if merged else found)


def perceptual_map(
    table: pd.DataFrame, by: str = "segment", against: str = "main_category", rules: PositioningRules | None = None
) -> PerceptualMap:
    """Where groups stand against what they buy or are, on two axes (C12 position).

    ``table`` is a customer table with the columns of codes ``by`` and ``against``; each customer counts once, those
    without a value in either are left out, and the smaller categories beyond ``map_points`` are one point,
    ``~others``. The map is a correspondence analysis of the counts (:func:`correspondence`): around the middle is what
    is as usual; a group lies in the direction of the categories it has more of than others. Only the direction is
    common to both sides, not the distance between a group and a category.

    ``table`` has the columns of :func:`correspondence` and ``sure`` (the point differs from all others beyond chance,
    p at most ``chance`` after Bonferroni over the points of its side). ``axes`` has one row per axis: ``axis``
    (x, y), ``inertia``, ``share_inertia`` (share of the whole association), ``p_value`` (that what is left from this
    axis on is chance, Malinvaud 1987), and the points that make most of it: ``low_group``, ``high_group``,
    ``low_category``, ``high_category`` (empty where no point lies on that side).

    Notes: ``map_chance`` (the association as a whole can be chance: no map is to be read), ``map_thin`` (more than a
    fifth of the cells expect fewer than 5 customers, so the test is rough), ``map_merged:n`` (n categories are one
    point), ``map_empty`` (fewer than two groups or two categories: there is nothing to compare).

    >>> bought = ["u"] * 30 + ["v"] * 40 + ["u"] * 10
    >>> found = perceptual_map(pd.DataFrame({"segment": ["a"] * 40 + ["b"] * 40, "main_category": bought}))
    >>> found.beyond_chance, round(found.inertia, 4), found.axes["high_category"].tolist()
    (True, 0.25, ['u'])
    """
    from scipy.stats import chi2

    rules = rules or PositioningRules()
    counts = _counts(table, by, against, rules.map_points)
    n = int(counts.to_numpy().sum())
    if min(counts.shape) < 2:
        return _nothing(by, against, n, "map_empty")
    points, inertias = correspondence(counts)
    p_value = float(chi2.sf(n * inertias.sum(), (counts.shape[0] - 1) * (counts.shape[1] - 1)))
    tested = points["side"].map(points["side"].value_counts())
    points["sure"] = points["p_value"] * tested <= rules.chance
    expected = np.outer(counts.sum(axis=1), counts.sum()) / n
    merged = table[against].nunique() - rules.map_points + 1 if OTHERS in counts else 0
    notes = _notes(p_value, rules.chance, float((expected < 5).mean()), merged)
    return PerceptualMap(
        points,
        _axes(points, inertias, n, counts.shape),
        by,
        against,
        n,
        float(inertias.sum()),
        p_value,
        "map_chance" not in notes,
        notes,
    )

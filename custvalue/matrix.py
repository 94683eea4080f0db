"""Customers on two axes, each cut in high and low: sales against margin, current value against potential."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from custvalue import indices
from custvalue.errors import UsageError, nearest
from custvalue.indices import CURRENT_PARTS, JUDGED, POTENTIAL_PARTS
from custvalue.predicates import check_rule
from custvalue.thresholds import ALLOWED, THRESHOLDS, cut_of, kept_cuts, parse_threshold

__all__ = [
    "AXES",
    "QUADRANTS",
    "THRESHOLDS",
    "VALUE_CLASSES",
    "IndexScales",
    "Matrix",
    "MatrixRules",
    "cut_points",
    "index_scales",
    "margin_note",
    "matrix_moves",
    "sales_margin_matrix",
    "value_potential_matrix",
]

#: Codes of the sales x margin matrix: first word sales, second word margin.
QUADRANTS = ("high_high", "low_high", "high_low", "low_low")

#: Codes of the value x potential matrix, in the same order of the quadrants: I, II, IV, III of the
#: literature.
VALUE_CLASSES = ("high_value", "latent_value", "secondary_value", "low_value")

#: The axes of the matrices, each of which can have a threshold of its own.
AXES = ("sales", "margin_rate", "current_value", "potential")

#: Rates that differ by no more than this (costs are rounded) are the same rate.
_SAME_RATE = 1e-3


def _equal_weights(parts: tuple[str, ...]) -> dict[str, float]:
    return dict.fromkeys(parts, 1.0)


@dataclass(frozen=True)
class MatrixRules:
    """How the matrices are cut, and what the indices of value and potential are made of.

    ``threshold``: where high begins on each axis: ``"median"``, ``"mean"``, a quantile between 0 and 1 (0.8: the
    highest fifth is high), ``"amount:5000"`` (above this amount), or, for sales, ``"share:0.8"`` (the fewest customers
    who together hold 80% of the sales). ``thresholds``: the same for single axes (``AXES``), before ``threshold``.

    ``current_weights``: weight of each of ``CURRENT_PARTS``; that of ``service_cost`` says how much of the cost is
    taken off the purchase value (1: all of it). ``potential_weights``: weight of each of ``POTENTIAL_PARTS``. A part
    not named has weight 0. ``judgement``: judged parts and the column of the customers file with their scores; a part
    named here can be weighted in either index. ``referral_share``: what counts of each generation of customers
    brought. ``gone_days``: a customer silent for longer has no potential.

    Raises ``UsageError`` for a threshold, axis, part or weight that is not allowed.

    >>> MatrixRules(threshold=0.8, thresholds={"sales": "amount:5000"}).threshold_of("sales")
    'amount:5000'
    """

    threshold: str | float = "median"
    thresholds: Mapping[str, Any] = field(default_factory=dict)
    current_weights: Mapping[str, Any] = field(default_factory=lambda: _equal_weights(CURRENT_PARTS))
    potential_weights: Mapping[str, Any] = field(
        default_factory=lambda: _equal_weights(tuple(part for part in POTENTIAL_PARTS if part != "future"))
    )
    judgement: Mapping[str, str] = field(default_factory=lambda: dict(JUDGED))
    referral_share: float = 1.0
    gone_days: int = 365

    def __post_init__(self) -> None:
        check_rule("threshold", self.threshold, bool(parse_threshold(self.threshold)[0]), ALLOWED)
        for axis, threshold in self.thresholds.items():
            if axis not in AXES:
                raise UsageError("unknown_axis", got=axis, nearest=nearest(axis, AXES), allowed=", ".join(AXES))
            kind = parse_threshold(threshold)[0]
            fits = bool(kind) and (kind != "share" or axis == "sales")
            check_rule(f"thresholds.{axis}", threshold, fits, ALLOWED)
        self._check_weights()
        check_rule("referral_share", self.referral_share, 0 <= self.referral_share <= 1, "0..1")
        check_rule("gone_days", self.gone_days, self.gone_days > 0, "> 0")

    def _check_weights(self) -> None:
        judged = tuple(part for part in self.judgement if part not in JUDGED)
        current, potential = (*CURRENT_PARTS, *judged), (*POTENTIAL_PARTS, *judged)
        counted = [part for part in current if part != "service_cost"]
        indices.check_weights("current_weights", self.current_weights, current, counted)
        indices.check_weights("potential_weights", self.potential_weights, potential, potential)

    @property
    def needs(self) -> tuple[str, ...]:
        """Columns of the forecast that the indices need, see :func:`custvalue.pipeline.two_months`."""
        return ("clv_12m",) if self.potential_weights.get("future", 0) > 0 else ()

    def threshold_of(self, axis: str) -> str | float:
        """The threshold of an axis; a share of the total is one of sales only, the others are then cut at the median.

        >>> MatrixRules(threshold="share:0.8").threshold_of("potential")
        'median'
        """
        own = self.thresholds.get(axis, self.threshold)
        of_sales = parse_threshold(own)[0] in ("share", "amount")
        return "median" if of_sales and axis not in {*self.thresholds, "sales"} else own


@dataclass(frozen=True)
class Matrix:
    """A cut matrix.

    ``table``: one row per customer, its last column the code; ``x``, ``y``: the columns on the axes;
    ``x_cut``, ``y_cut``: values above them are high; ``notes``: codes of what the reader must know;
    ``kind``: the column of the codes; ``value``: the column of money that tells what the cells are worth;
    ``x_rule``, ``y_rule``: the thresholds that gave the cuts, or ``"frozen"``; ``parts``: what the indices are made
    of, see :func:`custvalue.indices.coverage`.
    """

    table: pd.DataFrame
    x: str
    y: str
    x_cut: float
    y_cut: float
    notes: tuple[str, ...] = ()
    kind: str = "quadrant"
    value: str = "sales"
    x_rule: str | float = "median"
    y_rule: str | float = "median"
    parts: pd.DataFrame | None = None


def _codes(x_high: pd.Series, y_high: pd.Series, categories: tuple[str, ...]) -> pd.Categorical:
    place = (~x_high).to_numpy(dtype=int) + 2 * (~y_high).to_numpy(dtype=int)
    return pd.Categorical.from_codes(place, categories=categories, ordered=True)


def _empty_cells(codes: pd.Categorical) -> tuple[str, ...]:
    """Notes on cells without anybody, where there were customers enough to fill them."""
    counts = codes.value_counts()
    empty = [code for code in codes.categories if counts[code] == 0]
    if len(codes) < 4 or not empty:
        return ()
    return ("one_cell",) if len(empty) == 3 else tuple(f"cell_empty:{code}" for code in empty)


def _matrix(
    table: pd.DataFrame,
    counted: pd.DataFrame,
    axes: tuple[str, str],
    kind: str,
    rules: MatrixRules,
    cuts: tuple[float, float] | pd.DataFrame | None,
    **further: Any,
) -> Matrix:
    """The matrix of a table: its cuts, taken among the rows ``counted`` where they are not frozen, and the codes."""
    frozen = kept_cuts(cuts, kind, axes)
    x, y = axes
    x_rule, y_rule = ("frozen" if axis in frozen else rules.threshold_of(axis) for axis in axes)
    own = {axis: cut_of(counted[axis], rules.threshold_of(axis)) for axis in axes if axis not in frozen}
    x_cut, y_cut = ((own | frozen)[axis] for axis in axes)
    categories = QUADRANTS if kind == "quadrant" else VALUE_CLASSES
    codes = _codes(table[x] > x_cut, table[y] > y_cut, categories)
    notes = further.pop("notes", ())
    empty = _empty_cells(codes) if x != y else ()
    return Matrix(
        table.assign(**{kind: codes}), x, y, x_cut, y_cut, notes + empty, kind, x_rule=x_rule, y_rule=y_rule, **further
    )


def _margin_rate(customers: pd.DataFrame) -> pd.Series:
    sold = customers["sales"] > 0
    return (customers["margin"] / customers["sales"].where(sold)).where(sold, 0.0)


def margin_note(customers: pd.DataFrame) -> str:
    """Why margin can not be an axis: ``margin_unknown``, ``margin_rate_constant``, or empty where it can.

    >>> margin_note(pd.DataFrame({"sales": [10.0, 20.0], "margin": [3.0, 6.0]}))
    'margin_rate_constant'
    """
    if customers["margin"].isna().all():
        return "margin_unknown"
    rates = _margin_rate(customers)[customers["sales"] > 0]
    return "margin_rate_constant" if not rates.max() - rates.min() > _SAME_RATE else ""


def sales_margin_matrix(
    customers: pd.DataFrame,
    rules: MatrixRules | None = None,
    cuts: tuple[float, float] | pd.DataFrame | None = None,
) -> Matrix:
    """Sales against margin rate (C10).

    The table has one row per customer: ``customer_id``, ``sales`` (money), ``margin_rate`` (margin / sales,
    0 where sales are not above zero, NaN where margin is unknown), ``quadrant`` (one of ``QUADRANTS``;
    ``low_high`` is low sales, high margin). High is strictly above the cut, so equal customers are never
    split, those at the median are low, and if all are equal all are low. ``cuts`` are fixed cuts of both
    axes, such as those of an earlier month: two numbers, or the table of :func:`cut_points`.

    Where margin is unknown, or its rate is the same for everybody, it tells nothing: the second axis is
    sales too, only ``high_high`` and ``low_low`` occur, and the notes hold ``margin_unknown`` or
    ``margin_rate_constant``. A cell that stays empty is named in the notes (``cell_empty:high_high``; ``one_cell``
    where all customers stand in the same), and so is a margin limit below zero (``loss_is_high``).

    >>> customers = pd.DataFrame({"customer_id": list("abcd"), "sales": [10.0, 20.0, 90.0, 80.0],
    ...                           "margin": [5.0, 2.0, 45.0, 8.0]})
    >>> sales_margin_matrix(customers).table["quadrant"].tolist()
    ['low_high', 'low_low', 'high_high', 'high_low']
    """
    rules = rules or MatrixRules()
    note = margin_note(customers)
    table = customers[["customer_id", "sales"]].reset_index(drop=True)
    table["margin_rate"] = _margin_rate(customers).to_numpy(dtype=float)
    axes = ("sales", "sales" if note else "margin_rate")
    matrix = _matrix(table, table, axes, "quadrant", rules, cuts, notes=(note,) if note else ())
    return replace(matrix, notes=(*matrix.notes, "loss_is_high")) if not note and matrix.y_cut < 0 else matrix


def _weighted(parts: Mapping[str, pd.Series], weights: Mapping[str, Any]) -> dict[str, pd.Series]:
    return {name: values for name, values in parts.items() if weights.get(name, 0) > 0}


@dataclass(frozen=True)
class IndexScales:
    """The population that the indices of one month rank a customer among: a scale by part, and the usual gap (days).

    Kept, they give the indices of a later month on the earlier month's yardstick.
    """

    scales: Mapping[str, indices.Scale]
    gap: float


def _ranked_current(
    customers: pd.DataFrame, rules: MatrixRules, attributes: pd.DataFrame | None
) -> tuple[dict[str, pd.Series], pd.DataFrame]:
    """The parts that are ranked, and what the index is made of; the cost of serving is taken off as money."""
    weights = rules.current_weights
    parts = indices.current_parts(customers, attributes, rules.judgement)
    cost = float(weights.get("service_cost", 0)) * parts["service_cost"].fillna(0.0)
    ranked = _weighted(parts | {"purchase": parts["purchase"] - cost}, weights)
    ranked.pop("service_cost", None)
    return ranked, indices.coverage(_weighted(parts, weights), weights, "current_value")


def _ranked_potential(
    customers: pd.DataFrame, rules: MatrixRules, attributes: pd.DataFrame | None, gap: float | None
) -> dict[str, pd.Series]:
    parts = indices.potential_parts(customers, attributes, rules.judgement, rules.referral_share, gap)
    return _weighted(parts, rules.potential_weights)


def _potential(customers: pd.DataFrame, rules: MatrixRules, wanted: dict[str, pd.Series], scales: Mapping) -> pd.Series:
    index = indices.weighted_index(wanted, rules.potential_weights, scales)
    return index.mask(customers["days_since_last"] > rules.gone_days, 0.0)


def index_scales(
    customers: pd.DataFrame, rules: MatrixRules | None = None, attributes: pd.DataFrame | None = None
) -> IndexScales:
    """The scales behind the indices of :func:`value_potential_matrix` of these customers.

    >>> customers = pd.DataFrame({"customer_id": list("abc"), "sales_12m": [90.0, 20.0, 0.0],
    ...     "sales_prior_12m": [50.0, 60.0, 80.0], "margin_12m": [9.0, 2.0, 0.0], "tenure_days": 900,
    ...     "days_since_last": [9, 60, 400], "mean_gap_days": 30.0, "n_categories": 2})
    >>> index_scales(customers).scales["purchase"].values
    (0.0, 2.0, 9.0)
    """
    rules, attributes = rules or MatrixRules(), indices.aligned(customers, attributes)
    ranked = _ranked_current(customers, rules, attributes)[0] | _ranked_potential(customers, rules, attributes, None)
    return IndexScales(
        {part: indices.Scale.of(values) for part, values in ranked.items()}, indices.usual_gap(customers)
    )


def value_potential_matrix(
    customers: pd.DataFrame,
    rules: MatrixRules | None = None,
    attributes: pd.DataFrame | None = None,
    cuts: tuple[float, float] | pd.DataFrame | None = None,
    scales: IndexScales | None = None,
) -> Matrix:
    """Current value against growth potential (C11).

    The table has one row per customer: ``customer_id``, ``current_value`` and ``potential`` (0 to 100),
    ``margin_12m`` (or ``sales_12m`` where margin is unknown: what the cells are worth), ``value_class`` (one of
    ``VALUE_CLASSES``). High is strictly above the cut, as in :func:`sales_margin_matrix`; the cuts are taken among the
    customers who bought within ``gone_days``, so that a long list of former customers does not make all others look
    good.

    Both indices are weighted means of the percentile ranks of their parts, see :func:`custvalue.indices.current_parts`
    and :func:`custvalue.indices.potential_parts`. *Current value*: purchase value less the cost of serving, and image
    value. *Potential*: growth, spend elsewhere, categories not yet bought, activity, referrals, knowledge, and
    expected value if weighted and joined. Parts a customer lacks are left out of his mean; ``parts`` of the result
    says of how many customers each is known, those nobody has are named in a note (``parts_missing:wallet;image``). A
    customer silent for more than ``gone_days`` has potential 0 whatever the parts say. With ``scales`` of another
    month (:func:`index_scales`) the ranks are places among the customers of that month.

    Raises ``DataError`` if ``attributes`` holds a customer twice or words where numbers belong.

    >>> customers = pd.DataFrame({"customer_id": list("abc"), "sales_12m": [90.0, 20.0, 0.0],
    ...     "sales_prior_12m": [50.0, 60.0, 80.0], "margin_12m": [9.0, 2.0, 0.0], "tenure_days": 900,
    ...     "days_since_last": [9, 60, 400], "mean_gap_days": 30.0, "n_categories": 2})
    >>> value_potential_matrix(customers).table["value_class"].tolist()
    ['high_value', 'low_value', 'low_value']
    """
    rules, attributes = rules or MatrixRules(), indices.aligned(customers, attributes)
    ranked, made_of = _ranked_current(customers, rules, attributes)
    kept = scales.scales if scales else {}
    current = indices.weighted_index(ranked, rules.current_weights, kept)
    wanted = _ranked_potential(customers, rules, attributes, scales.gap if scales else None)
    potential = _potential(customers, rules, wanted, kept)
    further = indices.coverage(wanted, rules.potential_weights, "potential")
    value = "margin_12m" if customers["margin_12m"].notna().any() else "sales_12m"
    columns = {"current_value": current, "potential": potential, value: customers[value].fillna(0.0)}
    table = customers[["customer_id"]].assign(**columns).reset_index(drop=True)
    here = (customers["days_since_last"] <= rules.gone_days).to_numpy()
    parts = pd.concat([made_of, further], ignore_index=True)
    missing = parts.loc[parts["n_known"] == 0, "part"]
    notes = ("parts_missing:" + ";".join(missing),) if len(missing) else ()
    axes = ("current_value", "potential")
    counted = table[here] if here.any() else table
    return _matrix(table, counted, axes, "value_class", rules, cuts, notes=notes, value=value, parts=parts)


def cut_points(matrix: Matrix) -> pd.DataFrame:
    """The cuts of a matrix as a table that can be saved and given back as ``cuts`` in a later month.

    One row per axis: ``kind`` (``quadrant`` or ``value_class``), ``cut_of`` (the axis), ``cut`` (values above it are
    high); of nobody there are none. Tables of several matrices, and of the pyramid, may be put one below the other.

    >>> customers = pd.DataFrame({"customer_id": list("abcd"), "sales": [10.0, 20.0, 90.0, 80.0],
    ...                           "margin": [5.0, 2.0, 45.0, 8.0]})
    >>> cut_points(sales_margin_matrix(customers))
           kind       cut_of   cut
    0  quadrant        sales  50.0
    1  quadrant  margin_rate   0.3
    """
    rows = {matrix.x: matrix.x_cut, matrix.y: matrix.y_cut}
    points = pd.DataFrame({"kind": matrix.kind, "cut_of": list(rows), "cut": list(rows.values())})
    return points.dropna().reset_index(drop=True)


def matrix_moves(before: Matrix, now: Matrix) -> pd.DataFrame:
    """Who moved between the cells of a matrix from one month to another.

    Both must be cut at the same limits (give the :func:`cut_points` of the one to the other), so that a move is the
    customer's and not the limits'. One row per pair of cells that anybody is in, also those who stayed: ``kind``,
    ``from_code``, ``to_code``, ``n_customers``, ``share_customers`` (of those known in both months), and the medians of
    both axes before and now: ``x_from``, ``y_from``, ``x_to``, ``y_to``.

    Raises ``UsageError`` for matrices of different axes or cuts.

    >>> customers = pd.DataFrame({"customer_id": list("abcd"), "sales": [10.0, 20.0, 90.0, 80.0],
    ...                           "margin": [5.0, 2.0, 45.0, 8.0]})
    >>> before = sales_margin_matrix(customers)
    >>> now = sales_margin_matrix(customers.assign(sales=[70.0, 20.0, 90.0, 80.0]), cuts=cut_points(before))
    >>> matrix_moves(before, now).loc[1, ["from_code", "to_code"]].tolist()
    ['low_high', 'high_low']
    """
    same = (before.kind, before.x, before.y) == (now.kind, now.x, now.y)
    anybody = len(before.table) > 0 and len(now.table) > 0
    if not same or (anybody and not np.allclose([before.x_cut, before.y_cut], [now.x_cut, now.y_cut])):
        shown = [f"{m.x} {m.x_cut:.6g}, {m.y} {m.y_cut:.6g}" for m in (before, now)]
        raise UsageError("matrices_differ", got=shown[0], other=shown[1])
    columns = list(dict.fromkeys(["customer_id", now.x, now.y, now.kind]))
    both = before.table[columns].merge(now.table[columns], on="customer_id", suffixes=("_from", "_to"))
    codes = {"from_code": both[f"{now.kind}_from"], "to_code": both[f"{now.kind}_to"]}
    axes = (("x", now.x), ("y", now.y))
    points = {f"{axis}_{when}": both[f"{name}_{when}"] for when in ("from", "to") for axis, name in axes}
    groups = pd.DataFrame(codes | points).groupby(["from_code", "to_code"], observed=True)
    result = groups.median()
    result.insert(0, "n_customers", groups.size())
    result.insert(1, "share_customers", result["n_customers"] / max(len(both), 1))
    result = result.reset_index()
    result.insert(0, "kind", now.kind)
    return result

"""Customers on two axes, each cut in high and low: sales against margin, current value against potential."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from custvalue.errors import DataError, UsageError, nearest
from custvalue.predicates import check_rule

__all__ = [
    "POTENTIAL_PARTS",
    "QUADRANTS",
    "VALUE_CLASSES",
    "Matrix",
    "MatrixRules",
    "margin_note",
    "sales_margin_matrix",
    "value_potential_matrix",
]

#: Codes of the sales x margin matrix: first word sales, second word margin.
QUADRANTS = ("high_high", "low_high", "high_low", "low_low")

#: Codes of the value x potential matrix, in the same order of the quadrants: I, II, IV, III of the
#: literature.
VALUE_CLASSES = ("high_value", "latent_value", "secondary_value", "low_value")

#: The parts of the growth potential.
POTENTIAL_PARTS = ("growth", "wallet", "breadth", "activity")

#: Rates that differ by no more than this are the same rate.
_SAME_RATE = 1e-6

_TWO_YEARS = 2 * 365


def _equal_weights() -> dict[str, float]:
    return dict.fromkeys(POTENTIAL_PARTS, 1.0)


@dataclass(frozen=True)
class MatrixRules:
    """How the matrices are cut.

    ``threshold``: where each axis is cut: ``"median"``, ``"mean"``, or a quantile between 0 and 1 (0.8: the
    highest fifth is high). ``potential_weights``: weight of each of ``POTENTIAL_PARTS``; a part not named
    has weight 0. ``gone_days``: a customer silent for longer has no potential.

    Raises ``UsageError`` for a threshold, part or weight that is not allowed.

    >>> MatrixRules(threshold=0.8).potential_weights["wallet"]
    1.0
    """

    threshold: str | float = "median"
    potential_weights: Mapping[str, float] = field(default_factory=_equal_weights)
    gone_days: int = 365

    def __post_init__(self) -> None:
        for part in self.potential_weights:
            if part not in POTENTIAL_PARTS:
                close, allowed = nearest(part, POTENTIAL_PARTS), ", ".join(POTENTIAL_PARTS)
                raise UsageError("unknown_weight", got=part, nearest=close, allowed=allowed)
        weights = dict(self.potential_weights)
        fits = min(weights.values(), default=0) >= 0 and sum(weights.values()) > 0
        check_rule("potential_weights", weights, fits, ">= 0, sum > 0")
        check_rule("threshold", self.threshold, _is_threshold(self.threshold), '"median", "mean", 0 < q < 1')
        check_rule("gone_days", self.gone_days, self.gone_days > 0, "> 0")


def _is_threshold(threshold: str | float) -> bool:
    return threshold in ("median", "mean") if isinstance(threshold, str) else 0 < threshold < 1


@dataclass(frozen=True)
class Matrix:
    """A cut matrix.

    ``table``: one row per customer, its last column the code; ``x``, ``y``: the columns on the axes;
    ``x_cut``, ``y_cut``: values above them are high; ``notes``: codes of what the reader must know.
    """

    table: pd.DataFrame
    x: str
    y: str
    x_cut: float
    y_cut: float
    notes: tuple[str, ...] = ()


def _cut(values: pd.Series, threshold: str | float) -> float:
    if threshold == "mean":
        return float(values.mean())
    return float(values.quantile(0.5 if threshold == "median" else threshold))


def _codes(x_high: pd.Series, y_high: pd.Series, categories: tuple[str, ...]) -> pd.Categorical:
    place = (~x_high).to_numpy(dtype=int) + 2 * (~y_high).to_numpy(dtype=int)
    return pd.Categorical.from_codes(place, categories=categories, ordered=True)


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
    customers: pd.DataFrame, rules: MatrixRules | None = None, cuts: tuple[float, float] | None = None
) -> Matrix:
    """Sales against margin rate (C10).

    The table has one row per customer: ``customer_id``, ``sales`` (money), ``margin_rate`` (margin / sales,
    0 where sales are not above zero, NaN where margin is unknown), ``quadrant`` (one of ``QUADRANTS``;
    ``low_high`` is low sales, high margin). High is strictly above the cut, so equal customers are never
    split, those at the median are low, and if all are equal all are low. ``cuts`` are fixed cuts of both
    axes, such as those of an earlier month.

    Where margin is unknown, or its rate is the same for everybody, it tells nothing: the second axis is
    sales too, only ``high_high`` and ``low_low`` occur, and the notes hold ``margin_unknown`` or
    ``margin_rate_constant``.

    >>> customers = pd.DataFrame({"customer_id": list("abcd"), "sales": [10.0, 20.0, 90.0, 80.0],
    ...                           "margin": [5.0, 2.0, 45.0, 8.0]})
    >>> sales_margin_matrix(customers).table["quadrant"].tolist()
    ['low_high', 'low_low', 'high_high', 'high_low']
    """
    rules = rules or MatrixRules()
    note = margin_note(customers)
    table = customers[["customer_id", "sales"]].reset_index(drop=True)
    table["margin_rate"] = _margin_rate(customers).to_numpy(dtype=float)
    y = "sales" if note else "margin_rate"
    x_cut, y_cut = cuts or (_cut(table["sales"], rules.threshold), _cut(table[y], rules.threshold))
    y_cut = x_cut if note else y_cut
    table["quadrant"] = _codes(table["sales"] > x_cut, table[y] > y_cut, QUADRANTS)
    return Matrix(table, "sales", y, x_cut, y_cut, (note,) if note else ())


def _growth(customers: pd.DataFrame) -> pd.Series:
    now, before = customers["sales_12m"].clip(lower=0), customers["sales_prior_12m"].clip(lower=0)
    both = (now + before).where((now + before > 0) & (customers["tenure_days"] >= _TWO_YEARS))
    return (now - before) / both


def _wallet(customers: pd.DataFrame, attributes: pd.DataFrame | None) -> pd.Series:
    if attributes is None or "category_spend_year" not in attributes:
        return pd.Series(np.nan, index=customers.index)
    repeated = attributes["customer_id"][attributes["customer_id"].duplicated()].unique()
    if len(repeated):
        raise DataError("attribute_ids_repeat", n=len(repeated), example=repeated[0])
    spend = attributes.set_index("customer_id")["category_spend_year"].astype(float)
    return (customers["customer_id"].map(spend) - customers["sales_12m"]).clip(lower=0)


def _breadth(customers: pd.DataFrame) -> pd.Series:
    bought = pd.to_numeric(customers["n_categories"]).astype("Float64").to_numpy(dtype=float, na_value=np.nan)
    return pd.Series(-bought, index=customers.index)


def _activity(customers: pd.DataFrame) -> pd.Series:
    gaps = customers["mean_gap_days"]
    typical = gaps.median() if gaps.notna().any() else 1.0
    return -customers["days_since_last"] / gaps.fillna(typical)


def _percentile(values: pd.Series) -> pd.Series:
    """0 to 100: the share of the known values below, equal ones counted half."""
    return 100 * (values.rank() - 0.5) / values.notna().sum()


def _weighted_mean(parts: Mapping[str, pd.Series], weights: Mapping[str, float]) -> pd.Series:
    """The mean of the known parts of each customer, by weight; 50 (nothing known) where there is none."""
    table = pd.DataFrame({name: _percentile(values) for name, values in parts.items()})
    weight = table.notna() * pd.Series({name: float(weights.get(name, 0)) for name in parts})
    total = weight.sum(axis=1)
    return ((table.fillna(0) * weight).sum(axis=1) / total.where(total > 0)).fillna(50.0)


def _potential(
    customers: pd.DataFrame, rules: MatrixRules, attributes: pd.DataFrame | None
) -> tuple[pd.Series, tuple[str, ...]]:
    parts = {
        "growth": _growth(customers),
        "wallet": _wallet(customers, attributes),
        "breadth": _breadth(customers),
        "activity": _activity(customers),
    }
    wanted = {name: values for name, values in parts.items() if rules.potential_weights.get(name, 0) > 0}
    missing = tuple(f"part_missing:{name}" for name, values in wanted.items() if values.isna().all())
    index = _weighted_mean(wanted, rules.potential_weights)
    return index.mask(customers["days_since_last"] > rules.gone_days, 0.0), missing


def _current_value(customers: pd.DataFrame) -> pd.Series:
    """Percentile rank of the last 12 months; a missing margin among known ones is a year without orders."""
    known = customers["margin_12m"].notna().any()
    return _percentile(customers["margin_12m" if known else "sales_12m"].fillna(0.0))


def value_potential_matrix(
    customers: pd.DataFrame,
    rules: MatrixRules | None = None,
    attributes: pd.DataFrame | None = None,
    cuts: tuple[float, float] | None = None,
) -> Matrix:
    """Current value against growth potential (C11).

    The table has one row per customer: ``customer_id``, ``current_value`` and ``potential`` (0 to 100),
    ``value_class`` (one of ``VALUE_CLASSES``). High is strictly above the cut, as in
    :func:`sales_margin_matrix`; the cuts are taken among the customers who bought within ``gone_days``, so that a
    long list of former customers does not make all others look good.

    *Current value*: percentile rank of the margin of the last 12 months, of sales where margin is unknown.

    *Potential*: weighted mean of the percentile ranks of its parts (weights: ``rules.potential_weights``):

    - growth: (a - b) / (a + b), sales of the last 12 months a, of the 12 months before b; from two years of
      tenure on;
    - wallet: spend in the category elsewhere, ``category_spend_year`` of ``attributes`` (one row per
      customer, column ``customer_id``) less the sales of the last 12 months, at least 0;
    - breadth: need not yet met, more for fewer categories bought;
    - activity: days since the last purchase against the customer's own mean gap (one-time buyers: the
      median gap of the others), fewer is better.

    Parts a customer lacks are left out of his mean; parts nobody has are named in the notes
    (``part_missing:wallet``). A customer silent for more than ``gone_days`` has potential 0 whatever the
    parts say.

    Raises ``DataError`` if ``attributes`` holds a customer twice.

    >>> customers = pd.DataFrame({"customer_id": list("abc"), "sales_12m": [90.0, 20.0, 0.0],
    ...     "sales_prior_12m": [50.0, 60.0, 80.0], "margin_12m": [9.0, 2.0, 0.0], "tenure_days": 900,
    ...     "days_since_last": [9, 60, 400], "mean_gap_days": 30.0, "n_categories": 2})
    >>> value_potential_matrix(customers).table["value_class"].tolist()
    ['high_value', 'low_value', 'low_value']
    """
    rules = rules or MatrixRules()
    potential, notes = _potential(customers, rules, attributes)
    axes = {"current_value": _current_value(customers), "potential": potential}
    table = customers[["customer_id"]].assign(**axes).reset_index(drop=True)
    here = (customers["days_since_last"] <= rules.gone_days).to_numpy()
    counted = table[here] if here.any() else table
    x_cut, y_cut = cuts or tuple(_cut(counted[axis], rules.threshold) for axis in axes)
    table["value_class"] = _codes(table["current_value"] > x_cut, table["potential"] > y_cut, VALUE_CLASSES)
    return Matrix(table, "current_value", "potential", x_cut, y_cut, notes)

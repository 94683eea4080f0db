"""What each group of customers is worth and what sets it apart, for any grouping, in the order of its categories."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_datetime64_any_dtype, is_numeric_dtype

from custvalue.errors import UsageError, nearest
from custvalue.ranking import equal_steps

__all__ = ["BANDS", "attribute_levels", "distinguishing", "most_distinguishing", "profile"]

#: Codes of a number cut into quarters of the customers, the lowest first.
BANDS = ("low", "lower_middle", "upper_middle", "high")

#: A column of more different words is a name or an address, a number of more different values is cut into bands.
MOST_WORDS, MOST_NUMBERS = 50, 7
#: Columns beside the orders that name a customer, follow from what he buys, or are money spent on him.
_NO_ATTRIBUTES = (
    "customer_id",
    "referrer",
    "category_spend_year",
    "service_cost",
    "contact_cost_12m",
    "acquisition_cost",
)

#: Money columns summed where the table has them; they come from the lifetime and churn analyses.
_FURTHER_SUMS = ("clv_12m", "value_if_stays_12m", "value_at_risk")


def _check_columns(table: pd.DataFrame, columns: Sequence[str]) -> None:
    allowed = [str(column) for column in table]
    for column in columns:
        if column not in allowed:
            raise UsageError("unknown_column", got=column, nearest=nearest(column, allowed), allowed=", ".join(allowed))


def profile(table: pd.DataFrame, by: str) -> pd.DataFrame:
    """Size and value of each group of customers (C12, step "evaluate").

    ``table`` is a customer table with a column ``by``: a categorical of codes (every category gets a row,
    also an empty one) or any attribute (its values in sorted order). Customers without a value of ``by``
    have the last row.

    One row per group: ``by``; ``n_customers``, ``share_customers``; ``sales``, ``share_sales`` (money,
    share); ``margin``, ``share_margin`` where margin is known; ``sales_12m``, ``share_sales_12m`` where the table has
    them; ``median_orders`` (count);
    ``median_days_since_last`` (days); ``mean_order_value`` (money, the mean over customers of their own
    mean order value); the sums ``clv_12m``, ``value_if_stays_12m`` and ``value_at_risk`` where the table has
    them. Shares are of
    the total of the table, NaN where that total is zero.

    Raises ``UsageError`` for a column the table does not have.

    >>> customers = pd.DataFrame({"tier": ["lead", "gold", "lead"], "sales": [1.0, 8.0, 1.0],
    ...                           "n_orders": [1, 4, 2], "days_since_last": [9, 2, 7],
    ...                           "mean_order_value": [1.0, 2.0, 0.5]})
    >>> profile(customers, "tier")[["tier", "n_customers", "share_sales"]]
       tier  n_customers  share_sales
    0  gold            1          0.8
    1  lead            2          0.2
    """
    _check_columns(table, [by])
    groups = table.groupby(by, observed=False, dropna=False)
    result = pd.DataFrame({"n_customers": groups.size()})
    result["share_customers"] = _shares(result["n_customers"])
    for column in _value_columns(table):
        result[column] = groups[column].sum()
        result[f"share_{column}"] = _shares(result[column])
    result["median_orders"] = groups["n_orders"].median()
    result["median_days_since_last"] = groups["days_since_last"].median()
    result["mean_order_value"] = groups["mean_order_value"].mean()
    for column in _FURTHER_SUMS:
        if column in table:
            result[column] = groups[column].sum(min_count=1)
    return result.reset_index()


def _value_columns(table: pd.DataFrame) -> list[str]:
    known = "margin" in table and table["margin"].notna().any()
    recent = ["sales_12m"] if "sales_12m" in table else []
    return ["sales", "margin", *recent] if known else ["sales", *recent]


def _shares(amounts: pd.Series) -> pd.Series:
    total = amounts.sum()
    return amounts / total if total != 0 else amounts * float("nan")


def _used(levels: pd.Categorical) -> np.ndarray:
    """Whether anybody has each of the levels."""
    return np.bincount(levels.codes[levels.codes >= 0], minlength=len(levels.categories)) > 0


def _bands(numbers: pd.Series) -> pd.Categorical:
    return pd.Categorical.from_codes(equal_steps(numbers, len(BANDS)), categories=list(BANDS), ordered=True)


def _few_numbers(numbers: pd.Series, found: np.ndarray) -> pd.Categorical:
    """Few different numbers as words in their order; 0 and 1 are no and yes."""
    yes_no = set(found) <= {0, 1}
    words = [("yes" if number else "no") if yes_no else f"{number:g}" for number in found]
    return pd.Categorical.from_codes(pd.Categorical(numbers, categories=found).codes, categories=words, ordered=True)


def _few_words(column: pd.Series) -> pd.Series:
    """A column of few different words as a categorical of them; another one as it is."""
    codes, words = pd.factorize(column)
    if len(words) > MOST_WORDS:
        return column
    in_order = pd.Categorical(words).categories
    return pd.Series(pd.Categorical.from_codes(codes, words).reorder_categories(in_order), index=column.index)


def few_words(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the attributes of few different words as categoricals of them, which are quicker to handle.

    >>> few_words(pd.DataFrame({"customer_id": ["a", "b"], "shop": ["web", "store"]}))["shop"].cat.categories.tolist()
    ['store', 'web']
    """
    attributes = table[table.columns.difference(_NO_ATTRIBUTES, sort=False)]
    return table.assign(**{name: _few_words(column) for name, column in attributes.items() if column.dtype == "str"})


def _levels(column: pd.Series) -> pd.Categorical | None:
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.array if _used(column.array).all() else column.array.remove_unused_categories()
    if is_datetime64_any_dtype(column):
        return None
    if is_numeric_dtype(column) or is_bool_dtype(column):
        numbers = pd.Series(column.to_numpy(dtype=float, na_value=np.nan))
        found = np.unique(numbers.dropna())
        return _bands(numbers) if len(found) > MOST_NUMBERS else _few_numbers(numbers, found)
    levels = _few_words(column)
    return levels.array if isinstance(levels.dtype, pd.CategoricalDtype) else None


def attribute_levels(table: pd.DataFrame) -> pd.DataFrame:
    """The attributes of customers as a few levels each, to be counted and compared.

    ``table`` holds ``customer_id`` and columns of words or numbers, such as the customers file. One row per customer:
    ``customer_id`` and a categorical for each column that is an attribute: words as they are; 0 and 1 as ``no`` and
    ``yes``; up to 7 different numbers as words; more as one of ``BANDS``, quarters of the customers by rank (equal
    numbers are never split). Left out: ``referrer``; ``category_spend_year`` and ``service_cost``, which follow from
    how much the customer buys; ``acquisition_cost`` and ``contact_cost_12m``, which we spent; days; words of more than
    50 kinds (names, addresses); and columns in which all customers are alike.

    >>> table = pd.DataFrame({"customer_id": list("abcd"), "consent": [1, 0, 1, None], "shop": ["x", "y", "y", "x"]})
    >>> attribute_levels(table).iloc[0].tolist()
    ['a', 'yes', 'x']
    """
    columns = {str(name): _levels(table[name]) for name in table.columns.difference(_NO_ATTRIBUTES, sort=False)}
    known = {name: levels for name, levels in columns.items() if levels is not None and _used(levels).sum() > 1}
    return pd.DataFrame({"customer_id": table["customer_id"].array, **known})


def _counts(groups: pd.Series, levels: pd.Series, attribute: str) -> pd.DataFrame:
    """One row per group and level: customers with it, in the group and in all, of those whose level is known."""
    group, level = (column.cat.codes.to_numpy().astype("int64") for column in (groups, levels))
    n_groups, names = len(groups.cat.categories), levels.cat.categories
    known = level >= 0
    both = known & (group >= 0)
    cells = np.bincount(group[both] * len(names) + level[both], minlength=n_groups * len(names))
    cells = cells.reshape(n_groups, len(names))
    rows = {
        str(groups.name): pd.Categorical.from_codes(np.repeat(np.arange(n_groups), len(names)), dtype=groups.dtype),
        "attribute": attribute,
        "level": np.tile(names.astype(str), n_groups),
        "n_with": cells.ravel(),
        "n_group": np.repeat(cells.sum(axis=1), len(names)),
        "n_level": np.tile(np.bincount(level[known], minlength=len(names)), n_groups),
        "n_known": known.sum(),
    }
    return pd.DataFrame(rows)


def _tail(rows: pd.DataFrame) -> np.ndarray:
    """Twice the smaller tail of the hypergeometric distribution: as many with the level by chance, or farther off."""
    from scipy.stats import hypergeom

    whole, found = rows[["n_known", "n_level", "n_group"]].to_numpy().T, rows["n_with"].to_numpy()
    tails = np.minimum(hypergeom.cdf(found, *whole), hypergeom.sf(found - 1, *whole))
    return np.clip(2 * tails, 0, 1)


def distinguishing(
    table: pd.DataFrame, by: str, attributes: Sequence[str] | None = None, *, level: float = 0.05
) -> pd.DataFrame:
    """What sets each group of customers apart: which levels of which attributes are more or less frequent in it (C12).

    ``table`` holds ``customer_id``, the groups in the column ``by`` and the ``attributes`` as levels (see
    :func:`attribute_levels`; by default all other columns). One row per group, attribute and level: ``by``,
    ``attribute``, ``level``; ``n_with``, the customers of the group with this level; ``share_here`` of the group and
    ``share_others`` of all other customers (of those whose level is known); ``lift``, share_here / share_others
    (missing where none of the others has it); ``p_value``, twice the smaller tail of the hypergeometric distribution;
    ``q_value``, allowing for all comparisons of the table (Benjamini and Hochberg 1995); ``sure``: q_value at most
    ``level``. Groups that hold nobody or everybody have no rows.

    Raises ``UsageError`` for a column the table does not have.

    >>> table = pd.DataFrame({"tier": ["gold"] * 20 + ["lead"] * 20, "shop": ["web"] * 25 + ["store"] * 15})
    >>> distinguishing(table, "tier")[["tier", "level", "share_here", "share_others", "sure"]].head(2)
       tier  level  share_here  share_others  sure
    0  gold  store         0.0          0.75  True
    1  gold    web         1.0          0.25  True
    """
    from scipy.stats import false_discovery_control

    asked = list(table.columns.difference([by, "customer_id"], sort=False) if attributes is None else attributes)
    _check_columns(table, [by, *asked])
    groups, none = table[by].astype("category"), pd.Series([], dtype="category")
    parts = [_counts(groups, table[name].astype("category"), name) for name in asked]
    rows = pd.concat([_counts(groups.head(0), none, ""), *parts], ignore_index=True)
    rows = rows[(rows["n_group"] > 0) & (rows["n_group"] < rows["n_known"]) & (rows["n_level"] > 0)]
    rows = rows.sort_values(by, kind="stable", ignore_index=True)
    rows["share_here"] = rows["n_with"] / rows["n_group"]
    rows["share_others"] = (rows["n_level"] - rows["n_with"]) / (rows["n_known"] - rows["n_group"])
    rows["lift"] = rows["share_here"] / rows["share_others"].where(rows["share_others"] > 0)
    rows["p_value"] = _tail(rows)
    rows["q_value"] = false_discovery_control(rows["p_value"]) if len(rows) else rows["p_value"]
    rows["sure"] = rows["q_value"] <= level
    return rows.drop(columns=["n_group", "n_level", "n_known"])


def most_distinguishing(
    found: pd.DataFrame, by: str, n: int = 3, *, least_lift: float = 1.25, least_share: float = 0.05
) -> pd.DataFrame:
    """The rows of :func:`distinguishing` worth saying: sure, and large enough to act on; at most ``n`` a group.

    Kept are rows whose level is at least ``least_lift`` times as frequent in the group as elsewhere, or as much less,
    and that ``least_share`` of the customers have there or elsewhere; the largest differences in share first.

    >>> table = pd.DataFrame({"tier": ["gold"] * 20 + ["lead"] * 20, "shop": ["web"] * 25 + ["store"] * 15})
    >>> most_distinguishing(distinguishing(table, "tier"), "tier", 1)[["tier", "level"]].to_numpy().tolist()
    [['gold', 'store'], ['lead', 'store']]
    """
    more, less = found["share_here"], found["share_others"]
    apart = np.maximum(more, less) >= least_lift * np.minimum(more, less)
    kept = found[found["sure"] & apart & (np.maximum(more, less) >= least_share)]
    kept = kept.assign(far=(kept["share_here"] - kept["share_others"]).abs()).sort_values("far", ascending=False)
    kept = kept.groupby(by, observed=True).head(n)
    return kept.sort_values([by, "far"], ascending=[True, False], ignore_index=True).drop(columns="far")

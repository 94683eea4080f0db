"""What each group buys by: the ordered list of buying factors that its purchases show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from custvalue.errors import UsageError, nearest
from custvalue.ids import joined, places
from custvalue.positioning.rules import PositioningRules

__all__ = ["FACTORS", "BuyingFactors", "buying_factors", "factor_table"]

#: The buying factors, each a number per customer, higher where it weighs more; see :func:`factor_table`.
FACTORS = ("price", "quality", "offers", "newness", "variety", "habit", "one_channel", "returns")


@dataclass(frozen=True)
class BuyingFactors:
    """The ordered buying factors of each group: ``table`` (see :func:`buying_factors`), the factors ``used``, notes."""

    table: pd.DataFrame
    by: str
    used: tuple[str, ...]
    notes: tuple[str, ...] = ()


_COLUMNS = ["factor", "rank", "n_known", "mean_group", "mean_others", "difference", "p_value"]


def _answers(campaigns: pd.DataFrame | None, ids: pd.Series) -> pd.Series:
    """The share of the messages to a customer that he answered; missing where none was sent."""
    if campaigns is None or "responded" not in campaigns:
        return pd.Series(np.nan, index=ids.index)
    sent = campaigns[campaigns["responded"].notna()]
    if "hold_out" in sent:
        sent = sent[~sent["hold_out"].fillna(False).astype(bool)]
    rate = sent["responded"].astype(float).groupby(sent["customer_id"]).mean()
    return ids.map(rate).astype(float)


def factor_table(customers: pd.DataFrame, habits: pd.DataFrame, campaigns: pd.DataFrame | None = None) -> pd.DataFrame:
    """What speaks for each buying factor, one row per customer: ``customer_id`` and a column per factor (C15).

    ``habits`` is from :func:`custvalue.habits.buying_habits`, ``campaigns`` the rows of
    :func:`custvalue.beside.read_campaigns`. Higher means that the factor weighs more:

    - *price*: minus the logarithm of the price level (buys the cheaper goods of a category);
    - *quality*: its opposite (buys the dearer goods of a category);
    - *offers*: share of the messages that the customer answered;
    - *newness*: share of products just launched;
    - *variety*: chance that two of his purchases are of different categories;
    - *habit*: chance that two are of the same product;
    - *one_channel*: chance that two are through the same channel (convenience);
    - *returns*: rows sent back per order (easy exchange).

    >>> customers = pd.DataFrame({"customer_id": ["a"], "n_returns": [1], "n_orders": [4]})
    >>> habits = pd.DataFrame({"customer_id": ["a"], "price_level": [0.5], "share_new": [0.2], "same_category": [0.4],
    ...                        "same_product": [0.1], "same_channel": [1.0]})
    >>> factor_table(customers, habits).round(2).values.tolist()
    [['a', 0.69, -0.69, nan, 0.2, 0.6, 0.1, 1.0, 0.25]]
    """
    ids = customers["customer_id"].reset_index(drop=True)
    own = habits.reset_index(drop=True).reindex(places(ids, habits["customer_id"])).reset_index(drop=True)
    returns = (customers["n_returns"] / customers["n_orders"].where(customers["n_orders"] > 0)).to_numpy(dtype=float)
    return pd.DataFrame(
        {
            "customer_id": ids,
            "price": -np.log(own["price_level"]),
            "quality": np.log(own["price_level"]),
            "offers": _answers(campaigns, ids),
            "newness": own["share_new"],
            "variety": 1 - own["same_category"],
            "habit": own["same_product"],
            "one_channel": own["same_channel"],
            "returns": returns,
        }
    )


def _mean_and_spread(n: pd.DataFrame, total: pd.DataFrame, squares: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    n = n.where(n > 1)
    return total / n, np.sqrt(((squares - total**2 / n) / (n - 1)).clip(lower=0))


def _differences(table: pd.DataFrame, by: str, factors: list[str]) -> pd.DataFrame:
    """Each group against all others, a row per group and factor: means, standardised difference, Welch's p-value."""
    from scipy.stats import ttest_ind_from_stats

    centre = table[factors].mean()
    centred = table[factors] - centre
    groups, squares = table[by], centred * centred
    sums = (part.groupby(groups, observed=True).sum() for part in (centred, squares))
    parts = [centred.groupby(groups, observed=True).count(), *sums]
    others = [part.sum() - part for part in parts]
    mean, spread = _mean_and_spread(*parts)
    mean_others, spread_others = _mean_and_spread(*others)
    pooled = np.sqrt((spread**2 + spread_others**2) / 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        given = (part.to_numpy(float) for part in (mean, spread, parts[0], mean_others, spread_others, others[0]))
        test = ttest_ind_from_stats(*given, equal_var=False)
    found = {
        "n_known": parts[0],
        "mean_group": mean + centre,
        "mean_others": mean_others + centre,
        "difference": (mean - mean_others) / pooled.where(pooled > 1e-9),
        "p_value": pd.DataFrame(test.pvalue, index=mean.index, columns=mean.columns).where(pooled > 1e-9),
    }
    stacked = {name: part.rename_axis(columns="factor").stack(future_stack=True) for name, part in found.items()}
    return pd.DataFrame(stacked).reset_index()


def _adjusted(p_values: pd.Series) -> pd.Series:
    """Benjamini and Hochberg's p-values over all comparisons; missing stays missing."""
    from scipy.stats import false_discovery_control

    known = p_values.notna()
    adjusted = p_values.copy()
    adjusted[known] = false_discovery_control(p_values[known]) if known.any() else p_values[known]
    return adjusted


def _notes(result: pd.DataFrame, by: str, joined: pd.DataFrame, used: list[str]) -> tuple[str, ...]:
    missing = [name for name in FACTORS if name not in used]
    found = ["factors_missing:" + ";".join(f"unknown_factor/{name}" for name in missing)] if missing else []
    groups = [str(code) for code in joined[by].drop_duplicates().sort_values()]
    listed = set(result.loc[result["rank"].notna(), by].astype(str))
    without = [code for code in groups if code not in listed]
    if not without:
        return tuple(found)
    named = ";".join(f"{by}/{code}" for code in without)
    return tuple([*found, "no_list_at_all" if len(without) == len(groups) else f"no_list:{named}"])


def buying_factors(
    table: pd.DataFrame, factors: pd.DataFrame, by: str = "segment", rules: PositioningRules | None = None
) -> BuyingFactors:
    """The ordered list of reasons to buy that the purchases of each group show (C15).

    ``table`` holds ``customer_id`` and the column of codes ``by``; ``factors`` is from :func:`factor_table`. Each group
    is compared with all other customers: *difference* is the difference of the means over the pooled standard
    deviation, its p-value is Welch's t-test, adjusted over all groups and factors (Benjamini and Hochberg 1995). A
    factor is on a group's list if it weighs more there than elsewhere, by at least ``smallest_difference``, and beyond
    chance (adjusted p at most ``chance``).

    The table has one row per group and factor known of at least two customers of it: ``by``, ``factor``, ``rank`` (its
    place on the group's list, missing if it is not on it), ``n_known``, ``mean_group``, ``mean_others`` (in the unit of
    the factor), ``difference`` (standard deviations), ``p_value`` (adjusted). Groups in their own order, the largest
    difference first.

    Notes: ``factors_missing:..`` (not known from the data, or the same for everybody), ``no_list:..`` (groups without
    any factor on their list: if that is so of most groups, they were cut wrongly), ``no_list_at_all``.

    >>> table = pd.DataFrame({"customer_id": range(40), "segment": ["a"] * 20 + ["b"] * 20})
    >>> factors = pd.DataFrame({"customer_id": range(40), "price": [1.0, 2.0] * 10 + [4.0, 5.0] * 10})
    >>> found = buying_factors(table, factors)
    >>> found.table[["segment", "factor", "rank", "difference"]].round(2).values.tolist()
    [['a', 'price', nan, -5.85], ['b', 'price', 1.0, 5.85]]
    """
    rules = rules or PositioningRules()
    if by not in table:
        allowed = [str(column) for column in table]
        raise UsageError("unknown_column", got=by, nearest=nearest(by, allowed), allowed=", ".join(allowed))
    used = [name for name in FACTORS if name in factors and factors[name].min() < factors[name].max()]
    both = joined(table[["customer_id", by]], factors[["customer_id", *used]]).dropna(subset=by)
    result = _differences(both, by, used) if used and len(both) else pd.DataFrame(columns=[by, *_COLUMNS], dtype=float)
    result = result.dropna(subset="difference")
    result = result.assign(p_value=_adjusted(result["p_value"].astype(float)))
    listed = (result["p_value"] <= rules.chance) & (result["difference"] >= rules.smallest_difference)
    place = result["difference"].where(listed).groupby(result[by], observed=True).rank(ascending=False)
    result = result.assign(factor=pd.Categorical(result["factor"], categories=FACTORS), rank=place)
    result = result.sort_values([by, "difference"], ascending=[True, False], kind="stable", ignore_index=True)
    return BuyingFactors(result[[by, *_COLUMNS]], by, tuple(used), _notes(result, by, both, used))

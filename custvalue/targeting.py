"""Which groups to aim at: their attractiveness by the firm's own weights, and what each customer is to be won for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from custvalue.errors import UsageError, nearest
from custvalue.indices import aligned, check_weights
from custvalue.predicates import check_rule, first_match

__all__ = [
    "CRITERIA",
    "TARGET_CLASSES",
    "TASKS",
    "TASK_PREDICATES",
    "TargetingRules",
    "Targets",
    "attractiveness",
    "customer_tasks",
    "reachable",
]

#: What makes a group attractive, in the order shown.
CRITERIA = ("size", "growth", "margin", "value", "reach")
#: The classes of groups, best first.
TARGET_CLASSES = ("better", "good", "poor")
#: What there is to do with a customer (C26).
TASKS = ("acquire", "build", "care")

_NO_WORDS = ("0", "0.0", "no", "n", "false", "f", "否", "无", "不同意", "拒绝", "")


def _all_one() -> dict[str, Any]:
    return dict.fromkeys(CRITERIA, 1)


@dataclass(frozen=True)
class TargetingRules:
    """How groups are judged and key accounts are chosen.

    ``weights``: what each criterion counts (see :func:`attractiveness`); ``better_from``, ``poor_below``: how many
    times the mean total of the groups makes a group better, poor; ``reach``: column of the customers file that tells
    who may be written to.
    ``care_gaps``: silence, in the customer's own mean gaps, up to which he is cared for (:func:`customer_tasks`).
    ``accounts``: how many key accounts to list; ``means``: the share of customers with the largest means that is
    looked at; ``money``, ``authority``, ``need``: columns of the customers file in which people have judged these;
    ``account_weights``: what each part of the choice counts (:func:`custvalue.keyaccounts.key_accounts`).

    >>> TargetingRules(better_from=1.25).poor_below
    0.9
    """

    weights: Mapping[str, Any] = field(default_factory=_all_one)
    better_from: float = 1.1
    poor_below: float = 0.9
    reach: str = "consent"
    care_gaps: float = 2.0
    accounts: int = 20
    means: float = 0.2
    money: str = "money"
    authority: str = "authority"
    need: str = "need"
    account_weights: Mapping[str, Any] = field(
        default_factory=lambda: {"money": 1, "authority": 1, "need": 1, "wallet": 1, "network": 1}
    )

    def __post_init__(self) -> None:
        check_weights("weights", self.weights, CRITERIA, CRITERIA)
        parts = ("money", "authority", "need", "wallet", "network")
        check_weights("account_weights", self.account_weights, parts, parts)
        check_rule("better_from", self.better_from, self.better_from >= 1, ">= 1")
        check_rule("poor_below", self.poor_below, 0 <= self.poor_below <= 1, "0..1")
        check_rule("care_gaps", self.care_gaps, self.care_gaps > 0, "> 0")
        check_rule("accounts", self.accounts, self.accounts >= 1, ">= 1")
        check_rule("means", self.means, 0 < self.means <= 1, "> 0, <= 1")


@dataclass(frozen=True)
class Targets:
    """How attractive each group is: ``table`` (see :func:`attractiveness`), the criteria ``used``, and ``notes``."""

    table: pd.DataFrame
    by: str
    used: tuple[str, ...]
    notes: tuple[str, ...] = ()


def reachable(customers: pd.DataFrame, attributes: pd.DataFrame | None, column: str = "consent") -> pd.Series:
    """1 for customers who may be written to, 0 for the others, missing where the customers file does not tell.

    Of a column of numbers, above zero counts; of words, any but no, false, 否 and the like, so that a column of
    addresses or phone numbers serves as well.

    >>> attributes = pd.DataFrame({"customer_id": ["a", "b"], "consent": ["yes", "No"]})
    >>> reachable(pd.DataFrame({"customer_id": ["a", "b", "c"]}), attributes).tolist()
    [1.0, 0.0, nan]
    """
    if attributes is None or column not in attributes:
        return pd.Series(np.nan, index=customers.index)
    found = aligned(customers, attributes[["customer_id", column]].assign(_listed=1.0))
    given, listed = found[column].reset_index(drop=True), found["_listed"].notna().to_numpy()
    if pd.api.types.is_numeric_dtype(given) or pd.api.types.is_bool_dtype(given):
        yes = (given.astype("float64") > 0).to_numpy()
    else:
        words = given.fillna("").astype(str).str.strip().str.lower()
        yes = ~words.isin(_NO_WORDS).to_numpy()
    return pd.Series(np.where(listed, yes.astype(float), np.nan), index=customers.index)


def _value_column(table: pd.DataFrame) -> str:
    if "clv_12m" in table and table["clv_12m"].notna().any():
        return "clv_12m"
    return "margin_12m" if table["margin_12m"].notna().any() else "sales_12m"


def _criteria(table: pd.DataFrame, by: str, reach: pd.Series) -> pd.DataFrame:
    """The criteria of each group in their own units; missing where the data do not tell."""
    table = table.assign(_reach=reach.to_numpy(), _value=table[_value_column(table)].astype(float).fillna(0.0))
    groups = table.groupby(by, observed=False)
    sums = groups[["sales", "sales_12m", "sales_prior_12m"]].sum().clip(lower=0)
    margin = groups["margin"].sum(min_count=1) if "margin" in table else sums["sales"] * np.nan
    size = groups.size()
    both = (sums["sales_12m"] + sums["sales_prior_12m"]).where(lambda total: total > 0)
    return pd.DataFrame(
        {
            "size": size.astype(float),
            "growth": (sums["sales_12m"] - sums["sales_prior_12m"]) / both,
            "margin": margin / sums["sales"].where(sums["sales"] > 0),
            "value": groups["_value"].sum() / size.where(size > 0),
            "reach": groups["_reach"].mean(),
        }
    ).where(size > 0)


def _scaled(values: pd.DataFrame) -> pd.DataFrame:
    """Each criterion as a part of that of the best group, growth as (1 + growth) / 2; 0 below zero."""
    positive = values.assign(growth=(1 + values["growth"]) / 2).clip(lower=0)
    best = positive.max()
    return positive / best.where(best > 0, 1.0)


def _named(scaled: pd.DataFrame, weights: pd.Series, best: bool) -> pd.Categorical:
    """The criterion that lifts (``best``) or lowers each group most against the mean of the groups, if any does."""
    pull = (scaled - scaled.mean()).mul(weights).fillna(0.0) * (1 if best else -1)
    return pd.Categorical(pull.idxmax(axis=1).where(pull.max(axis=1) > 1e-9), categories=CRITERIA)


def _check_columns(table: pd.DataFrame, by: str) -> None:
    allowed = [str(column) for column in table]
    for column in (by, "sales", "sales_12m", "sales_prior_12m", "margin_12m"):
        if column not in table:
            raise UsageError("unknown_column", got=column, nearest=nearest(column, allowed), allowed=", ".join(allowed))


def _named_criteria(names: list[str], kind: str = "criterion") -> str:
    return ";".join(f"{kind}/{name}" for name in names)


def _notes(values: pd.DataFrame, weights: Mapping[str, Any], value_from: str) -> tuple[str, ...]:
    counted = [name for name in CRITERIA if weights.get(name, 0) > 0]
    missing = [name for name in counted if values[name].isna().all()]
    spread = (values.max() - values.min()) / values.abs().max().where(lambda most: most > 0, 1.0)
    equal = [name for name in counted if spread[name] < 1e-9]
    found = [f"missing:{_named_criteria(missing, 'unknown_criterion')}"] if missing else []
    if len(values.dropna(how="all")) < 2:
        found.append("one_group")
    elif equal:
        found.append(f"equal:{_named_criteria(equal)}")
    if "growth" in counted and values["growth"].abs().eq(1).any():
        found.append("growth_by_cut")
    if "value" in counted and value_from != "clv_12m":
        found.append("value_past_margin" if value_from == "margin_12m" else "value_past_sales")
    return tuple(found)


def attractiveness(
    table: pd.DataFrame,
    by: str = "segment",
    rules: TargetingRules | None = None,
    attributes: pd.DataFrame | None = None,
) -> Targets:
    """Better, good and poor groups, by criteria with the firm's own weights (C12 evaluate, C14).

    ``table`` is a customer table with a column of codes ``by``. The criteria of a group:

    - *size*: its customers;
    - *growth*: (a - b) / (a + b), its sales of the last 12 months a, of the 12 months before b (-1 to 1);
    - *margin*: margin over sales, whole history;
    - *value*: expected value of the next 12 months per customer where the table has ``clv_12m``; else margin, else
      sales of the last 12 months per customer (a note says which);
    - *reach*: share of those whom ``attributes`` know that may be written to (:func:`reachable`).

    Each counts as a part of that of the best group (0 to 1; below zero is 0; growth as (1 + growth) / 2), so that small
    differences stay small; total = 100 x sum(weight x part) / sum(weight) over the criteria known of the group.
    ``target`` is *better* from ``better_from`` times the mean total of the groups on, *poor* below ``poor_below`` times
    it, else *good*. The scale compares these groups with each other, so it says nothing across two tables.

    The table has one row per code: ``by``, ``n_customers``, ``growth``, ``margin_rate``, ``value_per_customer``
    (money), ``share_reachable``, ``attractiveness`` (the total, 0 to 100), ``target``, ``strongest``
    and ``weakest`` (the criteria that lift and lower it most against the mean of the groups; missing where none does).
    An empty group has no total.

    Notes: ``missing:..`` (criteria not known from the data), ``equal:..`` (that do not tell the groups apart),
    ``one_group``, ``growth_by_cut`` (a group without sales in one of the two years: its growth is -1 or 1 by how it is
    cut), ``value_past_margin``, ``value_past_sales``.

    Raises ``UsageError`` for a column the table does not have.

    >>> table = pd.DataFrame({"customer_id": list("abcd"), "segment": ["x", "x", "x", "y"], "sales": 10.0,
    ...     "sales_12m": [10.0, 10, 10, 0], "sales_prior_12m": [0.0, 0, 0, 10], "margin": 2.0, "margin_12m": 2.0})
    >>> targets = attractiveness(table)
    >>> targets.table[["segment", "attractiveness", "target", "strongest"]]
      segment  attractiveness  target strongest
    0       x      100.000000  better    growth
    1       y       58.333333    poor       NaN
    >>> targets.notes
    ('missing:unknown_criterion/reach', 'equal:criterion/margin;criterion/value', 'growth_by_cut', 'value_past_margin')
    """
    rules = rules or TargetingRules()
    _check_columns(table, by)
    values = _criteria(table, by, reachable(table, attributes, rules.reach))
    scaled = _scaled(values)
    weights = pd.Series({name: float(rules.weights.get(name, 0)) for name in CRITERIA})
    known = scaled.notna().mul(weights)
    weight = known.sum(axis=1)
    total = 100 * scaled.fillna(0.0).mul(weights).sum(axis=1) / weight.where(weight > 0)
    usual = total / total.mean()
    target = np.select([usual >= rules.better_from, usual < rules.poor_below], ["better", "poor"], "good")
    counted = [name for name in CRITERIA if weights[name] > 0 and values[name].notna().any()]
    result = pd.DataFrame(
        {
            "n_customers": values["size"].fillna(0).astype("int64"),
            "growth": values["growth"],
            "margin_rate": values["margin"],
            "value_per_customer": values["value"],
            "share_reachable": values["reach"],
            "attractiveness": total,
            "target": pd.Categorical(
                pd.Series(target, index=total.index).where(total.notna()), categories=TARGET_CLASSES, ordered=True
            ),
            "strongest": _named(scaled, weights, best=True),
            "weakest": _named(scaled, weights, best=False),
        },
        index=values.index,
    )
    notes = _notes(values, rules.weights, _value_column(table))
    return Targets(result.rename_axis(by).reset_index(), by, tuple(counted), notes)


def _care(customers: pd.DataFrame, rules: TargetingRules) -> pd.Series:
    return customers["days_since_last"] <= rules.care_gaps * customers["mean_gap_days"]


def _acquire(customers: pd.DataFrame, rules: TargetingRules) -> pd.Series:
    return customers["n_repeats"] == 0


def _build(customers: pd.DataFrame, rules: TargetingRules) -> pd.Series:
    return pd.Series(True, index=customers.index)


#: The tasks as (code, predicate): the first that holds counts.
TASK_PREDICATES = (("acquire", _acquire), ("care", _care), ("build", _build))


def customer_tasks(customers: pd.DataFrame, rules: TargetingRules | None = None) -> pd.DataFrame:
    """What there is to do with each customer: acquire, build or care (C26).

    One row per customer: ``customer_id``, ``task``: *acquire* (bought on one day only: not won yet), *care* (last
    purchase no longer ago than ``care_gaps`` of the customer's own mean gaps: keep by service), *build* (a repeat
    buyer who is late: bring him back and raise his value).

    >>> customers = pd.DataFrame({"customer_id": list("abc"), "n_repeats": [0, 4, 4], "days_since_last": [9, 9, 99],
    ...                           "mean_gap_days": [None, 30.0, 30.0]})
    >>> customer_tasks(customers)["task"].tolist()
    ['acquire', 'care', 'build']
    """
    task = first_match(customers, TASK_PREDICATES, TASKS, rules or TargetingRules())
    return pd.DataFrame({"customer_id": customers["customer_id"].array, "task": task})

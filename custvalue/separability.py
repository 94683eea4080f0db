"""How well groups of customers can be told from what is known of them, and whether they come out alike again (C23)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd

from custvalue.ids import in_order_of, joined

__all__ = ["FEWEST", "Separability", "cut_again", "drawn", "explained", "halves_agree", "separability"]

#: Columns of the customer table by what they tell of.
_BEHAVIOUR = (
    "days_since_last",
    "n_orders",
    "n_orders_12m",
    "mean_gap_days",
    "mean_order_value",
    "n_categories",
    "n_returns",
)
_MONEY, _DATE, _PRODUCT = ("sales",), ("tenure_days",), ("main_category",)
#: Fewest customers to say anything.
FEWEST = 50
#: Most customers the measurements are made on, drawn with a fixed seed; fewest of a group.
_SAMPLE, _OF_GROUP = 20_000, 10
#: Below so many customers the limit of separability is what shuffled groups reach, if that is higher.
_SMALL, _SHUFFLES = 500, 20


def drawn(table: pd.DataFrame, by: str) -> pd.DataFrame:
    """At most 20,000 customers who have a group, without the groups of fewer than ten of them.

    The same whatever the order of the rows.

    >>> len(drawn(pd.DataFrame({"customer_id": range(12), "tier": ["gold"] * 11 + ["lead"]}), "tier"))
    11
    """
    known = np.flatnonzero(table[by].notna())
    if "customer_id" in table:
        known = known[in_order_of(table["customer_id"].iloc[known])]
    rows = pd.Series(known).sample(min(len(known), _SAMPLE), random_state=0)
    found = table.iloc[rows].reset_index(drop=True)
    sizes = found[by].astype("str").map(found[by].astype("str").value_counts())
    return found[sizes >= _OF_GROUP].reset_index(drop=True)


def _codes(table: pd.DataFrame, by: str) -> np.ndarray:
    """The groups by number, in the order of their codes."""
    return pd.factorize(table[by].astype("str"), sort=True)[0]


def _numbers(column: pd.Series) -> np.ndarray:
    """A column as a tree can use it: numbers and days as they are, words as codes, most frequent first."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return column.astype("int64").to_numpy(dtype=float)
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(dtype=float, na_value=np.nan)
    order = {code: place for place, code in enumerate(column.astype("str").value_counts().index)}
    return column.astype("str").map(order).to_numpy(dtype=float, na_value=np.nan)


def _features(table: pd.DataFrame, names: Collection[str]) -> np.ndarray | None:
    """The columns there are, as numbers; None where there is none that varies."""
    columns = [_numbers(table[name]) for name in names if name in table]
    varying = [values for values in columns if len(np.unique(values[~np.isnan(values)])) > 1]
    return np.column_stack(varying) if varying else None


def _tree():
    from sklearn.tree import DecisionTreeClassifier

    return DecisionTreeClassifier(class_weight="balanced", max_leaf_nodes=64, min_samples_leaf=5, random_state=0)


def _told(features: np.ndarray | None, groups: np.ndarray) -> float:
    """How well the groups can be told from the features: 0 chance, 1 perfect; NaN without features.

    The mean over the groups of the share of their customers that a decision tree finds in customers it has not seen
    (three folds), scaled so that guessing is 0.
    """
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    if features is None or len(np.unique(groups)) < 2:
        return float("nan")
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    found = cross_val_predict(_tree(), features, groups, cv=folds)
    return max(float(balanced_accuracy_score(groups, found, adjusted=True)), 0.0)


def _by_chance(features: np.ndarray | None, groups: np.ndarray) -> float:
    """What 19 of 20 shuffled groupings stay below, for few customers; 0 for many."""
    if len(groups) >= _SMALL or features is None or len(np.unique(groups)) < 2:
        return 0.0
    rng = np.random.default_rng(0)
    return float(np.quantile([_told(features, rng.permutation(groups)) for _ in range(_SHUFFLES)], 0.95))


@dataclass(frozen=True)
class Separability:
    """The separability by each kind of feature, and by all of them together.

    ``parts``: by kind; ``chance``, ``chance_behaviour``: what shuffled groups reach; see :func:`separability`.
    """

    enough: bool
    parts: dict[str, float]
    all: float
    chance: float
    chance_behaviour: float


def separability(
    table: pd.DataFrame, by: str, further: Collection[str] = (), assets: Collection[str] = ()
) -> Separability:
    """How well the groups can be told from behaviour, money, date, product and ``assets`` alone, and from all of it.

    Each is the adjusted balanced accuracy of a decision tree in customers it has not seen: 0 is chance, 1 perfect
    (Brodersen et al. 2010). ``further``: other columns that count among all. Not ``enough``: fewer than 50 customers,
    or one group.

    >>> shop = pd.DataFrame({"segment": ["a", "b"] * 30, "sales": [1.0, 9.0] * 30})
    >>> separability(shop, "segment").parts["money"]
    1.0
    """
    groups = _codes(table, by)
    kinds = {"behaviour": _BEHAVIOUR, "money": _MONEY, "date": _DATE, "product": _PRODUCT, "assets": assets}
    features = {kind: _features(table, names) for kind, names in kinds.items()}
    every = _features(table, [*_BEHAVIOUR, *_MONEY, *_DATE, *_PRODUCT, *further])
    enough = len(table) >= FEWEST and len(np.unique(groups)) > 1
    if not enough:
        return Separability(False, dict.fromkeys(kinds, float("nan")), float("nan"), 0.0, 0.0)
    parts = {kind: _told(values, groups) for kind, values in features.items()}
    chances = [_by_chance(values, groups) for values in (every, features["behaviour"])]
    return Separability(True, parts, _told(every, groups), *chances)


def explained(values: pd.Series, groups: pd.Series) -> float:
    """Share of the variance of the ranks that lies between the groups, corrected for chance (epsilon squared).

    >>> explained(pd.Series([1.0, 1.0, 9.0, 9.0]), pd.Series(["a", "a", "b", "b"]))
    1.0
    """
    ranks = values.rank().dropna()
    groups = groups[ranks.index]
    n, k, total = len(ranks), groups.nunique(), ((ranks - ranks.mean()) ** 2).sum()
    if n <= k or k < 2 or total == 0:
        return float("nan")
    within = ((ranks - ranks.groupby(groups, observed=True).transform("mean")) ** 2).sum()
    return float(1 - (within / (n - k)) / (total / (n - 1)))


def halves_agree(table: pd.DataFrame, by: str, further: Collection[str] = ()) -> float:
    """Agreement (adjusted Rand index) of the rules two halves of the customers teach a tree, said of all of them.

    >>> halves_agree(pd.DataFrame({"segment": ["a", "b"] * 30, "sales": [1.0, 9.0] * 30}), "segment")
    1.0
    """
    from sklearn.metrics import adjusted_rand_score

    features = _features(table, [*_BEHAVIOUR, *_MONEY, *_DATE, *_PRODUCT, *further])
    if features is None:
        return float("nan")
    groups = _codes(table, by)
    half = np.random.default_rng(0).permutation(len(groups)) % 2 == 0
    said = [_tree().fit(features[part], groups[part]).predict(features) for part in (half, ~half)]
    return float(adjusted_rand_score(*said))


def cut_again(table: pd.DataFrame, by: str, again: Callable[[pd.DataFrame], pd.DataFrame]) -> float:
    """Mean agreement (adjusted Rand index) with the groups of four fifths of the customers cut anew, five times.

    >>> shop = pd.DataFrame({"customer_id": range(60), "segment": ["a", "b"] * 30, "sales": [1.0, 9.0] * 30})
    >>> cut_again(shop, "segment", lambda part: shop[["customer_id", "segment"]])
    1.0
    """
    from sklearn.metrics import adjusted_rand_score

    scores = []
    for seed in range(5):
        part = table.sample(frac=0.8, random_state=seed)
        new = again(part.drop(columns=by)).rename(columns={by: "_new"})
        both = joined(part[["customer_id", by]], new[["customer_id", "_new"]])
        scores.append(adjusted_rand_score(*(pd.factorize(both[name])[0] for name in (by, "_new"))))
    return float(np.mean(scores))

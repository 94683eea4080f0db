"""The best customers of last year, and who among the others looks like them (C12, step "evaluate")."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from custvalue.ids import in_order_of, joined
from custvalue.indices import beside
from custvalue.profiles import attribute_levels, few_words
from custvalue.segmentation.features import one_thread, positions_of_sample
from custvalue.segmentation.rules import SegmentationRules

__all__ = ["BEST", "LookAlikes", "best_customers", "early_levels", "look_alikes"]

#: Codes: among the best of last year or not.
BEST = ("best", "other")

#: The most customers the scores are learned on, and the fewest best ones they can be learned from.
LIKENESS_SAMPLE, LEAST_BEST = 50_000, 20

_FOLDS, _YEAR = 5, 365


@dataclass(frozen=True)
class LookAlikes:
    """Who looks like the best customers, and how far that can be trusted.

    ``table``: one row per customer who is not among the best, the likeliest first: ``customer_id``, ``likeness``
    (share: of customers with such attributes, how many are among the best), ``reason_1``, ``reason_2`` (the attributes
    that speak most for it, as ``attribute=level``; missing where none does). Empty where nothing is offered.
    ``weights``: what was learned: one row per ``attribute`` and ``level``, ``weight`` (change of the log odds against
    the average customer). ``auc``, ``auc_low``: how well the scores put best customers before others they were not
    learned on (0.5: by chance, 1: always), and its lower 95% limit. ``notes``: codes of what a reader must know.
    """

    table: pd.DataFrame
    weights: pd.DataFrame
    auc: float
    auc_low: float
    notes: tuple[str, ...]


def best_customers(customers: pd.DataFrame, rules: SegmentationRules | None = None) -> pd.DataFrame:
    """The best customers of the last 12 months: the ``best_share`` with the highest ``sales_12m`` (C12: top 10%).

    One row per customer: ``customer_id``, ``group_12m`` (``best`` or ``other``). Best are at most
    round(best_share x customers) customers, with sales above those of the next one and above zero: equal customers
    are never split, so there may be fewer, and none where all are equal.

    >>> customers = pd.DataFrame({"customer_id": list("abcde"), "sales_12m": [9.0, 5, 5, 1, 0]})
    >>> best_customers(customers, SegmentationRules(best_share=0.4))["group_12m"].tolist()
    ['best', 'other', 'other', 'other', 'other']
    """
    rules = rules or SegmentationRules()
    sales = customers["sales_12m"].to_numpy(dtype=float)
    n_best = int(rules.best_share * len(sales) + 0.5)
    next_one = -np.partition(-sales, n_best)[n_best] if n_best < len(sales) else 0.0
    best = (sales > max(next_one, 0.0)) & (n_best > 0)
    group = pd.Categorical.from_codes(np.where(best, 0, 1), categories=list(BEST), ordered=True)
    return pd.DataFrame({"customer_id": customers["customer_id"].array, "group_12m": group})


def early_levels(
    customers: pd.DataFrame, attributes: pd.DataFrame | None = None, baskets: pd.DataFrame | None = None
) -> pd.DataFrame:
    """What is known of a customer from the start, as levels: the attributes and the first basket.

    ``attributes`` is the customers file (:func:`custvalue.beside.read_attributes`), ``baskets`` the table of
    :func:`custvalue.firsts.first_baskets`. One row per customer: ``customer_id`` and the columns of
    :func:`custvalue.profiles.attribute_levels`. What came later (sales, orders, margin, silence) is left out: it is
    the outcome itself.

    >>> customers = pd.DataFrame({"customer_id": ["a", "b"]})
    >>> regions = pd.DataFrame({"customer_id": ["b", "a"], "region": ["east", "west"]})
    >>> early_levels(customers, regions)["region"].tolist()
    ['west', 'east']
    """
    known = customers[["customer_id"]]
    for table in (attributes, baskets):
        known = beside(known, None if table is None else few_words(table))
    return attribute_levels(known)


def _codes(levels: pd.DataFrame) -> tuple[np.ndarray, list[tuple[str, str]]]:
    """The place of each customer's level in one list of all levels, a column per attribute; -1 where not known."""
    places, names, start = [], [], 0
    for attribute in levels.columns.drop("customer_id"):
        codes = levels[attribute].cat.codes.to_numpy().astype("int32")
        places.append(np.where(codes >= 0, codes + start, -1))
        names += [(attribute, str(level)) for level in levels[attribute].cat.categories]
        start = len(names)
    return np.column_stack(places) if places else np.empty((len(levels), 0), dtype="int32"), names


def _design(places: np.ndarray, n_levels: int) -> object:
    """One column per level, 1 where the customer has it."""
    from scipy.sparse import csr_matrix

    rows, columns = np.nonzero(places >= 0)
    return csr_matrix((np.ones(len(rows)), (rows, places[rows, columns])), shape=(len(places), n_levels))


def _learned(design: object, best: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray, float]:
    """The log odds of each level, the log odds of all, and scores of customers they were not learned on."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    model = LogisticRegression(C=1.0, max_iter=500)
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed)
    with one_thread():
        unseen = cross_val_predict(model, design, best, cv=folds, method="predict_proba")[:, 1]
        model.fit(design, best)
    return model.coef_[0], unseen, float(model.intercept_[0])


def _auc(best: np.ndarray, scores: np.ndarray) -> tuple[float, float]:
    """Area under the ROC curve and its lower 95% limit (Hanley and McNeil 1982)."""
    from sklearn.metrics import roc_auc_score

    auc, n_best, n_other = float(roc_auc_score(best, scores)), int(best.sum()), int((~best).sum())
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    spread = auc * (1 - auc) + (n_best - 1) * (q1 - auc**2) + (n_other - 1) * (q2 - auc**2)
    return auc, auc - 1.96 * float(np.sqrt(spread / (n_best * n_other)))


def _weights(names: list[tuple[str, str]], coefficients: np.ndarray, places: np.ndarray) -> pd.DataFrame:
    """The log odds of each level less those of the average customer, attribute by attribute."""
    table = pd.DataFrame(names, columns=["attribute", "level"])
    counts = np.bincount(places[places >= 0], minlength=len(names))
    sums = pd.DataFrame({"c": coefficients * counts, "n": counts}).groupby(table["attribute"]).transform("sum")
    return table.assign(weight=coefficients - (sums["c"] / sums["n"].clip(lower=1)))


def _reasons(places: np.ndarray, weights: pd.DataFrame) -> pd.DataFrame:
    """The two attributes that speak most for each customer; of equal ones the first."""
    spoken = np.append(weights["weight"], 0.0)[places]
    words = (weights["attribute"] + "=" + weights["level"]).to_numpy(dtype=object)
    rows, reasons = np.arange(len(places)), {}
    for name in ("reason_1", "reason_2"):
        most = spoken.argmax(axis=1)
        codes = np.where(spoken[rows, most] > 0, places[rows, most], -1)
        reasons[name] = pd.Categorical.from_codes(codes, categories=words)
        spoken[rows, most] = 0.0
    return pd.DataFrame(reasons)


def _scored(
    ids: pd.Series, places: np.ndarray, base: float, coefficients: np.ndarray, weights: pd.DataFrame
) -> pd.DataFrame:
    odds = base + np.append(coefficients, 0.0)[places].sum(axis=1)
    likeness, by_id = 1 / (1 + np.exp(-odds)), in_order_of(ids)
    order = by_id[np.argsort(-likeness[by_id], kind="stable")]
    scored = pd.DataFrame({"customer_id": ids.array, "likeness": likeness})
    return pd.concat([scored, _reasons(places, weights)], axis=1).take(order).reset_index(drop=True)


def _nobody(note: str, auc: float = np.nan, auc_low: float = np.nan) -> LookAlikes:
    table = pd.DataFrame(columns=["customer_id", "likeness", "reason_1", "reason_2"])
    weights = pd.DataFrame(columns=["attribute", "level", "weight"])
    return LookAlikes(table.astype({"likeness": "float64"}), weights, auc, auc_low, (note,))


def look_alikes(
    customers: pd.DataFrame, levels: pd.DataFrame, best: pd.DataFrame, rules: SegmentationRules | None = None
) -> LookAlikes:
    """Who among the other customers looks like the best ones of last year (C12, C26).

    ``levels`` is :func:`early_levels`, ``best`` is :func:`best_customers`. A logistic regression on the levels learns
    from the customers who were there the whole 12 months (``tenure_days`` of 365 and more; at most 50,000 drawn by a
    hash of their number) who became the best; then every other customer is scored, also those who came since. Only
    what was known from the start is asked, never sales, orders or silence of the 12 months: they are the outcome.
    Offered is the list only where five-fold cross-validation puts best customers before others more often than
    chance does: where the lower 95% limit of the AUC is above 0.5.

    Notes: ``few_best`` (fewer than 20 best or 20 other customers of a whole year), ``no_attributes``,
    ``nothing_shared`` (AUC not above chance). The table is empty then.

    >>> customers = pd.DataFrame({"customer_id": ["a"], "sales_12m": [9.0], "tenure_days": [400]})
    >>> look_alikes(customers, early_levels(customers), best_customers(customers)).notes
    ('few_best',)
    """
    rules = rules or SegmentationRules()
    table = joined(customers[["customer_id", "tenure_days"]], best, levels)
    places, names = _codes(table[levels.columns])
    is_best = (table["group_12m"] == "best").to_numpy()
    whole = np.flatnonzero(table["tenure_days"] >= _YEAR)
    taught = whole[positions_of_sample(table["customer_id"].iloc[whole], LIKENESS_SAMPLE, rules.seed)]
    if min(is_best[taught].sum(), (~is_best[taught]).sum()) < LEAST_BEST:
        return _nobody("few_best")
    if not names:
        return _nobody("no_attributes")
    coefficients, unseen, base = _learned(_design(places[taught], len(names)), is_best[taught], rules.seed)
    auc, auc_low = _auc(is_best[taught], unseen)
    if not auc_low > 0.5:
        return _nobody("nothing_shared", auc, auc_low)
    weights = _weights(names, coefficients, places[taught])
    others = table["customer_id"][~is_best]
    return LookAlikes(_scored(others, places[~is_best], base, coefficients, weights), weights, auc, auc_low, ())

"""What customers buy together, and the category to offer each of them next (C18, C10)."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from custvalue.errors import UsageError
from custvalue.ids import named, places
from custvalue.owned import Bought, numbers, owned_by, rows_of, sets_of
from custvalue.predicates import check_rule

__all__ = [
    "SUGGESTIONS",
    "CrossSellRules",
    "co_purchases",
    "likely_pairs",
    "next_category",
    "preferred_way",
    "suggestion_day",
    "suggestion_test",
]

#: Ways to suggest a category: the one most customers buy, or the one buyers of the same categories buy.
SUGGESTIONS = ("popular", "like_buyers")
_COLUMNS = ("n_customers", "n_buyers", "n_other", "n_both", "support", "confidence", "pair_lift")
_ORDER = ("category", "other_category", *_COLUMNS, "expected_both", "lift_beyond", "pair_p", "pair_q", "sure_pair")


@dataclass(frozen=True)
class CrossSellRules:
    """What counts as bought together.

    ``min_support``: fewest customers who bought both categories, for a pair to be sure and to be a reason to suggest
    one of them; ``noise``: largest share of false pairs among the sure ones (false discovery rate); ``max_categories``:
    so many categories, those with most buyers, are set against each other; ``test_days``: ways of suggesting are
    tested on the new categories of so many days.

    >>> CrossSellRules(min_support=50).noise
    0.05
    """

    min_support: int = 20
    noise: float = 0.05
    max_categories: int = 30
    test_days: int = 365

    def __post_init__(self) -> None:
        check_rule("min_support", self.min_support, self.min_support >= 1, ">= 1")
        check_rule("noise", self.noise, 0 < self.noise < 1, "0..1")
        check_rule("max_categories", self.max_categories, 2 <= self.max_categories <= 100, "2..100")
        check_rule("test_days", self.test_days, self.test_days >= 1, ">= 1")


def _symmetric(weights: np.ndarray, left_out: np.ndarray) -> np.ndarray:
    """Elementary symmetric polynomials of the weights, one row for each row of ``left_out`` (True: not counted)."""
    sums = np.zeros((len(left_out), len(weights) + 1))
    sums[:, 0] = 1.0
    for place, weight in enumerate(weights):
        sums[:, 1:] += np.where(left_out[:, place], 0.0, weight)[:, None] * sums[:, :-1]
    return sums


def _included(weights: np.ndarray, sizes: np.ndarray, members: np.ndarray) -> np.ndarray:
    """P(all members bought | number of categories bought): one row for each row of ``members``, a column a size."""
    whole = _symmetric(weights, np.zeros((1, len(weights)), dtype=bool))[0]
    rest, n = _symmetric(weights, members), members.sum(axis=1)
    product = np.where(members, weights, 1.0).prod(axis=1)
    places = sizes[None, :] - n[:, None]
    found = np.take_along_axis(rest, np.maximum(places, 0), axis=1)
    return np.where(places >= 0, product[:, None] * found / whole[sizes], 0.0)


def _appeal(sizes: np.ndarray, times: np.ndarray, buyers: np.ndarray) -> np.ndarray:
    """The weight of each category for which as many customers are expected to buy it as did.

    A customer with k categories has a set S with probability in proportion to the product of the weights in S.
    """
    one, weights = np.eye(len(buyers), dtype=bool), buyers / buyers.mean()
    for _ in range(500):
        expected = _included(weights, sizes, one) @ times
        weights = weights * buyers / expected
        weights /= np.exp(np.log(weights).mean())
        if np.abs(expected / buyers - 1).max() < 1e-6:
            break
    return weights


def _surplus(sets: np.ndarray, times: np.ndarray, pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each pair of categories the buyers of both beyond those expected, and that in standard deviations (z).

    The surplus is the sum over the customers of (bought A - chance of A)(bought B - chance of B), less its mean, where
    the chances are those of a customer with as many categories.
    """
    k, one = sets.sum(axis=1), np.eye(sets.shape[1], dtype=bool)
    sizes = np.unique(k)
    n = np.array([times[k == size].sum() for size in sizes], dtype=float)
    weights = _appeal(sizes, n, times @ sets)
    a, b = pairs.T
    single, both = _included(weights, sizes, one), _included(weights, sizes, one[a] | one[b])
    p, q, mean = single[a], single[b], both - single[a] * single[b]
    counts = np.stack([(sets[k == size] * times[k == size, None]).T @ sets[k == size] for size in sizes], axis=-1)
    products = counts[a, b] - p * counts[b, b] - q * counts[a, a] + p * q * n
    cells = (both, (1 - p) * (1 - q)), (p - both, (1 - p) * q), (q - both, p * (1 - q)), (1 - p - q + both, p * q)
    variance = sum(np.maximum(chance, 0) * product**2 for chance, product in cells) - mean**2
    surplus = (products - n * mean).sum(axis=1)
    spread = np.sqrt(np.maximum((n * variance).sum(axis=1), 0))
    varies = spread > 1e-6
    return np.where(varies, surplus, np.nan), np.divide(surplus, spread, out=np.zeros_like(spread), where=varies)


def _pairs(bought: Bought, rules: CrossSellRules) -> pd.DataFrame:
    """One row per ordered pair of categories of one group of customers, without pair_q and sure_pair."""
    from scipy.stats import norm

    owned, _, kept = owned_by(bought, rules.max_categories)
    names = bought.names.iloc[kept].array
    pairs = np.array([(a, b) for a in range(len(names)) for b in range(a + 1, len(names))], dtype=int).reshape(-1, 2)
    if not len(pairs):
        return pd.DataFrame(columns=["category", "other_category", *_COLUMNS, "expected_both", "lift_beyond", "pair_p"])
    sets, _, times = sets_of(owned)
    surplus, z = _surplus(sets, times, pairs)
    together, n = (sets * times[:, None]).T @ sets, len(owned)
    blocks = []
    for a, b in (pairs.T, pairs.T[::-1]):
        n_a, n_b, both = together[a, a], together[b, b], together[a, b]
        values = (n, n_a, n_b, both, both / n, both / n_a, both * n / (n_a * n_b))
        block = pd.DataFrame({"category": names[a], "other_category": names[b]})
        blocks.append(block.assign(**dict(zip(_COLUMNS, values, strict=True)), expected_both=both - surplus, z=z))
    table = pd.concat(blocks, ignore_index=True)
    beyond = table["n_both"] / table["expected_both"].where(table["expected_both"] > 0)
    return table.assign(lift_beyond=beyond, pair_p=2 * norm.sf(np.abs(table["z"]))).drop(columns="z")


def _pairs_by(bought: Bought, groups: pd.DataFrame, by: str, rules: CrossSellRules) -> pd.DataFrame:
    codes = pd.Categorical(groups[by])
    group = np.append(codes.codes, -1)[places(bought.ids, groups["customer_id"])][bought.who]
    blocks = []
    for number, code in enumerate(codes.categories):
        rows = group == number
        part = replace(bought, who=bought.who[rows], what=bought.what[rows])
        blocks.append(_pairs(part, rules).assign(**{by: code}))
    nothing = replace(bought, who=bought.who[:0], what=bought.what[:0])
    table = pd.concat([block for block in blocks if len(block)] or [_pairs(nothing, rules).assign(**{by: ""})])
    return table.reset_index(drop=True).astype({by: groups[by].dtype})


def co_purchases(
    bought: pd.DataFrame, groups: pd.DataFrame | None = None, by: str = "segment", rules: CrossSellRules | None = None
) -> pd.DataFrame:
    """Which categories the same customers buy, in all or in each group: one row per group and ordered pair.

    ``bought``: a row per customer and category (:func:`custvalue.timelines.category_purchases`); ``groups``:
    customer_id and ``by``, such as the behaviour segments. Columns: ``by`` where there are groups; category (A),
    other_category (B); n_customers (of the group, with a known category), n_buyers (of A), n_other (of B), n_both;
    support = n_both / n_customers, confidence = n_both / n_buyers, pair_lift = support / (share of A x share of B);
    expected_both, lift_beyond = n_both / expected_both, pair_p, pair_q, sure_pair.

    The plain lift is below 1 where most customers buy from one category, and above it where a few buy from all,
    whatever goes with what. So expected_both allows for how many categories each customer bought and how many buyers
    each category has: of customers with k categories, each set of k has a chance in proportion to the product of the
    weights of its categories (the conditional Rasch model), and the weights fit the buyers of each category. pair_p
    is that of n_both against it (two-sided, normal). pair_q allows for all pairs of all groups (Benjamini and
    Hochberg 1995); *sure_pair* is one bought together more often than expected, with pair_q at most ``noise`` and
    n_both at least ``min_support``. Missing where every customer has one category, or all: then nothing can be told.
    One very strong pair makes the other categories look a little linked among themselves: read the strongest first.

    >>> bought = pd.DataFrame({"customer_id": list("aabbc"), "category": ["tea", "cup", "tea", "cup", "tea"]})
    >>> co_purchases(bought)[["category", "other_category", "n_both", "confidence"]].round(2).values.tolist()
    [['tea', 'cup', 2, 0.67], ['cup', 'tea', 2, 1.0]]
    """
    from scipy.stats import false_discovery_control

    rules = rules or CrossSellRules()
    known = numbers(bought)
    table = _pairs(known, rules) if groups is None else _pairs_by(known, groups, by, rules)
    # Both directions of a pair have one p-value, which leaves the q-values what they would be for one of them.
    table["pair_q"] = false_discovery_control(table["pair_p"].astype(float)) if len(table) else 1.0
    together = (table["lift_beyond"] > 1) & (table["n_both"] >= rules.min_support)
    table["sure_pair"] = together & (table["pair_q"] <= rules.noise)
    return table[[*([] if groups is None else [by]), *_ORDER]]


def likely_pairs(pairs: pd.DataFrame, most: int = 10) -> pd.DataFrame:
    """The sure pairs of :func:`co_purchases`, each once a group, towards the category it says more for.

    The direction with the higher lift of confidence is equal both ways, so the one with the larger confidence is kept;
    most surprising (lift_beyond) first, at most ``most`` rows a group.

    >>> pairs = pd.DataFrame({"category": ["tea", "cup"], "other_category": ["cup", "tea"], "sure_pair": True,
    ...                       "lift_beyond": 1.3, "confidence": [0.4, 0.7]})
    >>> likely_pairs(pairs)["category"].tolist()
    ['cup']
    """
    group = [str(pairs.columns[0])] if pairs.columns[0] != "category" else []
    sure = pairs[pairs["sure_pair"]].sort_values(["lift_beyond", "confidence"], ascending=False, kind="stable")
    ends = np.sort(sure[["category", "other_category"]].to_numpy(dtype=str), axis=1)
    once = sure.assign(low=ends[:, 0], high=ends[:, 1]).drop_duplicates([*group, "low", "high"])
    once = once.drop(columns=["low", "high"])
    if group:
        once = once.groupby(group, observed=True).head(most).sort_values(group, kind="stable")
    return once.head(most if not group else len(once)).reset_index(drop=True)


@dataclass(frozen=True)
class _Model:
    """What suggestions are made from: categories, buyers of each, and P(column bought | row bought) where supported."""

    names: pd.Series
    n_customers: int
    n_buyers: np.ndarray
    n_both: np.ndarray
    confidence: np.ndarray


def _learnt(owned: np.ndarray, names: pd.Series, rules: CrossSellRules) -> _Model:
    sets, _, times = sets_of(owned)
    both = (sets * times[:, None]).T @ sets
    buyers = np.diag(both)
    confidence = np.where(both >= rules.min_support, both / np.maximum(buyers, 1)[:, None], np.nan)
    np.fill_diagonal(confidence, np.nan)
    return _Model(names, len(owned), buyers, both, confidence)


def _suggested(sets: np.ndarray, model: _Model, way: str) -> pd.DataFrame:
    """One row per set of categories: the place of the best further one, that of its reason, and the chance behind it.

    *like_buyers*: the highest mean confidence over the categories owned (pairs without support are passed over); where
    there is none, and for *popular*, the category with most buyers. -1 where nothing is left, or there is no reason.
    """
    popular = np.where(sets, -1.0, model.n_buyers / max(model.n_customers, 1))
    best, reason = popular.argmax(axis=1), np.full(len(sets), -1)
    chance = popular.max(axis=1)
    if way == "like_buyers":
        known = ~np.isnan(model.confidence)
        n = sets.astype(float) @ known
        mean = sets.astype(float) @ np.nan_to_num(model.confidence) / np.maximum(n, 1)
        mean = np.where(sets | (n == 0), -1.0, mean)
        like = mean.argmax(axis=1)
        found = mean.max(axis=1) >= 0
        because = np.where(sets, np.nan_to_num(model.confidence[:, like].T, nan=-1.0), -1.0).argmax(axis=1)
        best, chance = np.where(found, like, best), np.where(found, mean.max(axis=1), chance)
        reason = np.where(found, because, reason)
    nothing = sets.all(axis=1)
    return pd.DataFrame(
        {"best": np.where(nothing, -1, best), "reason": np.where(nothing, -1, reason), "chance": chance}
    )


def next_category(
    customers: pd.DataFrame, bought: pd.DataFrame, way: str = "like_buyers", rules: CrossSellRules | None = None
) -> pd.DataFrame:
    """The category to offer each customer next: one he has not bought from, with its reason.

    ``way`` is one of ``SUGGESTIONS``; :func:`suggestion_test` says which one hits more often. One row per customer:
    customer_id; next_category (missing where he has all, or nothing is known); suggestion (the way it was found:
    *popular* also where no pair has ``min_support``); because (the category of his whose buyers buy it most; missing
    for *popular*); confidence (share of the buyers of his categories who also buy it; for *popular* of all buyers);
    n_both (customers who bought it and the one in ``because``).

    >>> bought = pd.DataFrame({"customer_id": list("aabbc"), "category": ["tea", "cup", "tea", "cup", "tea"]})
    >>> customers = pd.DataFrame({"customer_id": ["a", "c", "d"]})
    >>> next_category(customers, bought, rules=CrossSellRules(min_support=2))["next_category"].tolist()
    [nan, 'cup', 'tea']
    """
    rules = rules or CrossSellRules()
    if way not in SUGGESTIONS:
        raise UsageError("bad_choice", key="way", got=way, allowed=", ".join(SUGGESTIONS))
    known = numbers(bought)
    owned, people, kept = owned_by(known, rules.max_categories)
    result = pd.DataFrame({"customer_id": customers["customer_id"].array}).astype("str")
    if not len(kept):
        missing = pd.Series(np.nan, index=result.index, dtype="str")
        words = dict.fromkeys(["next_category", "suggestion", "because"], missing)
        return result.assign(**words, confidence=np.nan, n_both=pd.array([pd.NA] * len(result), dtype="Int64"))
    model = _learnt(owned, known.names.iloc[kept], rules)
    sets, which, _ = sets_of(np.vstack([owned, np.zeros((1, len(kept)), dtype=bool)]))
    found = _suggested(sets, model, way)
    place = which[rows_of(people, len(known.ids))[places(result["customer_id"], known.ids)]]
    best, reason = found["best"].to_numpy()[place], found["reason"].to_numpy()[place]
    ways = np.where(best < 0, -1, np.where(reason >= 0, 1, 0))
    return result.assign(
        next_category=named(best, model.names),
        suggestion=named(ways, pd.Index(SUGGESTIONS)),
        because=named(reason, model.names),
        confidence=np.where(best >= 0, found["chance"].to_numpy()[place], np.nan),
        n_both=pd.Series(model.n_both[reason, best], dtype="Int64").where(reason >= 0),
    )


def _bought_new(after: Bought, before: Bought, owned: np.ndarray, people: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Customers x categories of the earlier day: True where bought since and not before."""
    rows = rows_of(people, len(before.ids))[places(after.ids, before.ids)][after.who]
    columns = rows_of(kept, len(before.names))[places(after.names, before.names)][after.what]
    known = (rows >= 0) & (columns >= 0)
    now = np.zeros_like(owned)
    now[rows[known], columns[known]] = True
    return now & ~owned


def _with_rates(table: pd.DataFrame) -> pd.DataFrame:
    """The hit rates with their 95% intervals; none for a number of hits that is only expected."""
    from scipy.stats import binomtest

    rate = table["n_hits"] / table["n_customers"].where(table["n_customers"] > 0)
    counted = (table["n_customers"] > 0) & (table["suggestion"] != "chance")
    bounds = [
        binomtest(round(hits), n).proportion_ci(method="wilson") if sure else (np.nan, np.nan)
        for hits, n, sure in zip(table["n_hits"], table["n_customers"], counted, strict=True)
    ]
    return table.assign(hit_rate=rate, share_low=[low for low, _ in bounds], share_high=[high for _, high in bounds])


def suggestion_day(as_of: dt.date, rules: CrossSellRules | None = None) -> dt.date:
    """The earlier day of :func:`suggestion_test`: ``test_days`` before ``as_of``.

    >>> suggestion_day(dt.date(2024, 12, 31))
    datetime.date(2024, 1, 1)
    """
    return as_of - dt.timedelta(days=(rules or CrossSellRules()).test_days)


def suggestion_test(before: pd.DataFrame, after: pd.DataFrame, rules: CrossSellRules | None = None) -> pd.DataFrame:
    """Which way of suggesting hits more often, tried on an earlier day.

    ``before`` and ``after``: :func:`custvalue.timelines.category_purchases` as of the earlier day and of today. Asked
    of the customers who bought from a new category in between: was it the one that would have been suggested, from
    what was known on the earlier day? One row per way: suggestion (*chance*: any category not yet bought, all alike;
    *popular*; *like_buyers*), n_customers, n_hits, hit_rate, share_low, share_high (95%, Wilson 1927; none for
    *chance*), choice_p (of *like_buyers* against *popular*: exact McNemar test), preferred: that is *like_buyers* where
    it hits more often with a choice_p of at most 0.05, else the simpler *popular*; none where nobody bought from a new
    category.

    >>> before = pd.DataFrame({"customer_id": list("aabbc"), "category": ["tea", "cup", "tea", "cup", "tea"]})
    >>> after = pd.concat([before, pd.DataFrame({"customer_id": ["c"], "category": ["cup"]})])
    >>> suggestion_test(before, after)[["suggestion", "n_hits"]].values.tolist()
    [['chance', 1.0], ['popular', 1.0], ['like_buyers', 1.0]]
    """
    from scipy.stats import binomtest

    rules = rules or CrossSellRules()
    early = numbers(before)
    owned, people, kept = owned_by(early, rules.max_categories)
    new = _bought_new(numbers(after), early, owned, people, kept)
    judged = new.any(axis=1)
    hits = {"chance": np.array([new[judged].sum(axis=1) / np.maximum((~owned[judged]).sum(axis=1), 1)]).ravel()}
    model = _learnt(owned, early.names.iloc[kept], rules)
    sets, which, _ = sets_of(owned[judged])
    for way in SUGGESTIONS:
        best = _suggested(sets, model, way)["best"].to_numpy()[which] if judged.any() else np.empty(0, dtype=int)
        hits[way] = new[judged][np.arange(judged.sum()), best].astype(float)
    only = [(hits[one] > hits[other]).sum() for one, other in (SUGGESTIONS[::-1], SUGGESTIONS)]
    p_value = binomtest(int(only[0]), int(sum(only))).pvalue if sum(only) else 1.0
    chosen = "like_buyers" if only[0] > only[1] and p_value <= 0.05 else "popular"
    rows = [(way, len(hit), float(hit.sum())) for way, hit in hits.items()]
    table = pd.DataFrame(rows, columns=["suggestion", "n_customers", "n_hits"])
    return _with_rates(table).assign(
        choice_p=np.where(table["suggestion"] == "like_buyers", p_value, np.nan),
        preferred=(table["suggestion"] == chosen) & bool(judged.any()),
    )


def preferred_way(test: pd.DataFrame) -> str:
    """The way of suggesting that :func:`suggestion_test` prefers; *popular* where it could prefer none.

    >>> preferred_way(pd.DataFrame({"suggestion": ["popular", "like_buyers"], "preferred": [False, True]}))
    'like_buyers'
    """
    return next(iter(test.loc[test["preferred"], "suggestion"]), "popular")

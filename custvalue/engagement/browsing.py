"""What customers look at: main group and price band, who has just changed, and what was seen but not bought (C19)."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from custvalue.engagement.rules import EngagementRules
from custvalue.engagement.visitors import grouped, in_order, kinds_of, leading
from custvalue.ids import begins, named, numbered, places
from custvalue.owned import rows_of
from custvalue.predicates import first_match

__all__ = ["BROWSING", "browsing_segments", "changed_by_chance", "group_table", "viewed_not_bought", "views"]

#: Codes of the browsing segments in the order they are shown.
BROWSING = ("just_changed", "new", "exploring", "steady", "silent", "unseen")

#: What is asked of those who looked at anything, in this order; all others are *unseen*.
_PREDICATES = (
    ("silent", lambda t: t["silent"]),
    ("new", lambda t: t["n_views_before"] == 0),
    ("steady", lambda t: t["same_group"]),
    ("just_changed", lambda t: t["certain"]),
    ("exploring", lambda t: t["n_views_before"] > 0),
)
#: Customers whose views are shuffled to learn how often chance alone looks like a change, and how many times.
_SHUFFLED, _ROUNDS = 20_000, 10
_FITTED_GROUPS = 100
#: Fewest customers with two earlier views, to know how far customers keep to their categories.
_FEWEST = 10


def _looks(events: pd.DataFrame, as_of: dt.date, rules: EngagementRules) -> tuple[np.ndarray, np.ndarray]:
    """Which events count as looking at a category, and the age of all in days."""
    weightless = [kind for kind, weight in rules.weights.items() if weight == 0]
    age = (pd.Timestamp(as_of) - events["event_date"]).dt.days.to_numpy()
    return (events["category"].notna() & ~kinds_of(events["event"]).isin(weightless)).to_numpy() & (age >= 0), age


def views(events: pd.DataFrame, as_of: dt.date, rules: EngagementRules | None = None) -> pd.DataFrame:
    """The events that count as looking at a category: those with one, up to ``as_of``, of a kind with a weight above 0.

    One row per event: customer_id, event_date, category, price_band, age (days before ``as_of``).

    >>> events = pd.DataFrame({"customer_id": "a", "event_date": pd.to_datetime(["2024-03-01", "2024-04-02"]),
    ...                        "event": "view", "category": "tea", "price_band": "low"})
    >>> views(events, dt.date(2024, 3, 31))["age"].tolist()
    [30]
    """
    seen, age = _looks(events, as_of, rules or EngagementRules())
    return events.loc[seen, ["customer_id", "event_date", "category", "price_band"]].assign(age=age[seen])


def _windows(seen: pd.DataFrame, rules: EngagementRules) -> tuple[pd.DataFrame, np.ndarray]:
    """The views that are ``recent`` or of the days before, and the age of each customer's last view, by number.

    For a customer silent for ``recent_days`` the windows are counted back from his last view. ``habit`` are the views
    that show what he usually looks at: the earlier ones; of a silent customer all.
    """
    who, age = seen["who"].to_numpy(), seen["age"].to_numpy()
    last = np.full(who.max(initial=-1) + 1, np.iinfo("int64").max)
    np.minimum.at(last, who, age)
    silent = (last >= rules.recent_days)[who]
    since = age - np.where(silent, last[who], 0)
    recent, within = since < rules.recent_days, since < rules.recent_days + rules.before_days
    return seen.assign(recent=recent, habit=~recent | silent)[within], last


def _per_group(marked: pd.DataFrame) -> pd.DataFrame:
    """One row per customer (``who``) and category: recent, earlier and usual views, and the age of the last one."""
    recent, habit = (marked[name].to_numpy() for name in ("recent", "habit"))
    flags = {"n_recent": recent, "n_before": ~recent, "n_habit": habit}
    codes = marked["group"].cat.codes.to_numpy(dtype="int64")
    counts = grouped(marked["who"].to_numpy(), codes, flags, marked["age"].to_numpy())
    return counts.assign(group=pd.Categorical.from_codes(counts.pop("code"), dtype=marked["group"].dtype))


def _most(counts: pd.DataFrame, count: str) -> pd.DataFrame:
    """The row with the highest count of each customer; of equal ones that seen last, then the first by name."""
    oldest = counts["age"].max() if len(counts) else 0
    rank = counts[count] * (oldest + 1) + (oldest - counts["age"])
    return counts.iloc[leading(counts["who"].to_numpy(), rank.to_numpy())].set_index("who")


def _concentration(counts: np.ndarray, shares: np.ndarray) -> float:
    """How far customers keep to their own categories: the Dirichlet concentration by maximum likelihood.

    ``counts``: views, a customer a row and a category a column; ``shares`` those of the categories among all. Small
    where each looks at one category only, large where all look around alike (Minka 2000).
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import gammaln

    rows, times = np.unique(counts, axis=0, return_counts=True)
    sizes = rows.sum(axis=1)

    def minus_log(log_alpha: float) -> float:
        alpha = np.exp(log_alpha)
        own = gammaln(alpha * shares + rows) - gammaln(alpha * shares)
        return -float(times @ (gammaln(alpha) - gammaln(alpha + sizes) + own.sum(axis=1)))

    return float(np.exp(minimize_scalar(minus_log, bounds=(-6, 8), method="bounded").x))


def _habits(counts: pd.DataFrame) -> tuple[float, pd.Series]:
    """Concentration and category shares of the usual views.

    The concentration is that of the customers with two or more such views, at most 20,000, over the 100 largest
    categories; NaN with fewer than two categories or ten customers.
    """
    shares = counts.groupby("group", observed=True)["n_habit"].sum()
    shares = shares[shares > 0] / max(shares.sum(), 1)
    largest = shares.nlargest(_FITTED_GROUPS).index
    fitted = counts[counts["group"].isin(largest) & (counts["n_habit"] > 0)]
    sizes = np.bincount(fitted["who"], fitted["n_habit"])
    people = pd.Series(np.flatnonzero(sizes >= 2))
    people = people.sample(min(len(people), _SHUFFLED), random_state=0)
    picked = np.zeros(len(sizes), dtype=bool)
    picked[people] = True
    table = fitted[picked[fitted["who"]]].pivot(index="who", columns="group", values="n_habit").fillna(0)
    seen = table.sum() / max(table.to_numpy().sum(), 1)
    enough = len(seen) > 1 and len(table) >= _FEWEST
    return (_concentration(table.to_numpy(), seen.to_numpy()) if enough else float("nan")), shares


def _chance(main: pd.DataFrame, totals: pd.DataFrame, habits: tuple[float, pd.Series]) -> np.ndarray:
    """Chance that so many recent views fall on one new group though habits are as before; NaN where unknown.

    Beta-binomial: the customer's own views before count, and those of all others as ``alpha`` further ones. Multiplied
    by the number of other groups, since any of them could have become the main one.
    """
    from scipy.stats import betabinom

    alpha, shares = habits
    share = (
        main["group"]
        .astype("str")
        .map(shares)
        .astype("float64")
        .fillna(0)
        .clip(lower=0.5 / max(totals["n_before"].sum(), 1))
    )
    cases = pd.DataFrame({"k": main["n_recent"], "n": totals["n_recent"], "share": share})
    cases = cases.assign(own=main["n_before"], before=totals["n_before"]).astype("float64")
    unique = cases.drop_duplicates().dropna()
    hits, misses = unique["own"] + alpha * unique["share"], unique["before"] - unique["own"]
    tail = betabinom.sf(unique["k"] - 1, unique["n"], hits, misses + alpha * (1 - unique["share"]))
    found = cases.merge(unique.assign(tail=tail), on=list(cases), how="left")["tail"].to_numpy()
    return np.minimum(found * max((shares > 0).sum() - 1, 1), 1.0)


def _classified(marked: pd.DataFrame, last: np.ndarray, rules: EngagementRules) -> pd.DataFrame:
    """One row per customer who looked at anything, by ``who``: counts, main groups, the chance of the change."""
    counts = _per_group(marked)
    start = begins(counts["who"].to_numpy())
    who = pd.Index(counts["who"].to_numpy()[start], name="who")
    totals = pd.DataFrame(
        {
            name: np.add.reduceat(counts[name].to_numpy(), start) if len(start) else []
            for name in ("n_recent", "n_before")
        },
        index=who,
    )
    main, earlier = (_most(counts, count) for count in ("n_recent", "n_before"))
    silent = last[who] >= rules.recent_days
    changed = (main["n_before"] < earlier["n_before"]) & ~silent
    p_value = pd.Series(np.nan, index=who)
    p_value[changed] = _chance(main[changed], totals[changed], _habits(counts))
    return pd.DataFrame(
        {
            "group": main["group"],
            "group_before": earlier["group"].where(earlier["n_before"] > 0),
            "n_views": totals["n_recent"],
            "n_views_before": totals["n_before"],
            "change_chance": p_value,
            "last_age": last[who],
            "silent": silent,
            "same_group": ~changed,
            "certain": p_value <= rules.change_noise,
        },
        copy=False,
    )


def _bands(marked: pd.DataFrame, found: pd.DataFrame) -> pd.Series:
    """The most viewed price band within the main group, by ``who``; missing where no band is known."""
    rows = marked[marked["recent"] & marked["price_band"].notna()]
    main = np.full(marked["who"].max() + 1 if len(marked) else 0, -1)
    main[found.index] = found["group"].cat.codes
    rows = rows[rows["group"].cat.codes.to_numpy() == main[rows["who"]]]
    codes, one = rows["price_band"].cat.codes.to_numpy(dtype="int64"), np.ones(len(rows), dtype=bool)
    counts = grouped(rows["who"].to_numpy(), codes, {"n": one}, rows["age"].to_numpy())
    band, most = np.full(found.index.max() + 1 if len(found) else 0, -1), _most(counts, "n")["code"]
    band[most.index] = most
    return pd.Series(pd.Categorical.from_codes(band[found.index], dtype=marked["price_band"].dtype), index=found.index)


def _numbered_views(
    events: pd.DataFrame, as_of: dt.date, rules: EngagementRules, customers: pd.DataFrame | None = None
) -> tuple[pd.DataFrame, pd.Series]:
    """The views (who, age, group, price_band), and the ids of all customers and visitors by number."""
    counted, age = _looks(events, as_of, rules)
    known = age >= 0
    ids = events["customer_id"] if known.all() else events.loc[known, "customer_id"]
    who, names = numbered(ids, None if customers is None else customers["customer_id"])
    words = {"group": "category", "price_band": "price_band"}
    words = {name: in_order(events[column])[counted] for name, column in words.items()}
    return pd.DataFrame({"who": who[counted[known]], "age": age[counted], **words}, copy=False), names


def _words(codes: pd.Series) -> pd.Series:
    return named(codes.cat.codes.to_numpy(), codes.cat.categories)


def browsing_segments(
    events: pd.DataFrame, as_of: dt.date, rules: EngagementRules | None = None, customers: pd.DataFrame | None = None
) -> pd.DataFrame:
    """The browsing segment of each visitor: what he mainly looks at, and whether that has just changed (C19).

    One row per row of ``customers`` where given, then per other visitor up to ``as_of``: customer_id; browsing
    (one of ``BROWSING``); category and price_band, the most viewed category of the last ``recent_days`` and the most
    viewed band in it (of equal ones the last seen; of silent customers in the days before their last view);
    category_before, that of the ``before_days`` before; n_views, n_views_before (counts); change_chance; last_view
    (day).

    - *unseen*: looked at no category; *silent*: not in the last ``recent_days``;
    - *new*: looks now, and did not in the days before;
    - *steady*: the main group is (one of) the main group(s) of the days before;
    - *just_changed*: it is another one, and change_chance is at most ``change_noise``;
    - *exploring*: it is another one, but so few views can fall that way by chance.

    change_chance is that of so many recent views of one other category if the customer looked around as before, times
    the number of other categories (Bonferroni). What "as before" is: his own views of the days before, and as
    many views of the average visitor as fit all visitors best (a beta-binomial; its concentration is estimated by
    maximum likelihood, Minka 2000): where visitors keep to one category each, two views of another one are a change;
    where all look at everything, hardly anything is. It is missing (nobody has just changed) where fewer than ten
    customers can be seen to look twice. :func:`changed_by_chance` counts how often chance alone does it.

    >>> ids = [f"{number:02}" for number in range(12)]
    >>> before = pd.DataFrame({"customer_id": ids * 3, "category": ["tea", "cup", "pot"] * 12})
    >>> now = pd.DataFrame({"customer_id": ["00", "00", "01"], "category": ["pot", "pot", "cup"]})
    >>> days = {"event": "view", "price_band": "low"}
    >>> events = pd.concat([before.assign(event_date=pd.Timestamp("2024-04-01"), **days),
    ...                     now.assign(event_date=pd.Timestamp("2024-06-20"), **days)])
    >>> table = browsing_segments(events, dt.date(2024, 6, 30))
    >>> table[["browsing", "category", "category_before"]].head(3).values.tolist()
    [['just_changed', 'pot', 'tea'], ['steady', 'cup', 'cup'], ['silent', 'pot', nan]]
    """
    rules = rules or EngagementRules()
    seen, ids = _numbered_views(events, as_of, rules, customers)
    marked, last = _windows(seen, rules)
    found = _classified(marked, last, rules)
    found = found.assign(price_band=_bands(marked, found), browsing=first_match(found, _PREDICATES, BROWSING))
    table = found.reset_index(drop=True).reindex(rows_of(found.index.to_numpy(), len(ids))[:-1]).reset_index(drop=True)
    days = pd.to_timedelta(table["last_age"], unit="D")
    return pd.DataFrame(
        {
            "customer_id": ids,
            "browsing": table["browsing"].fillna("unseen").array,
            "category": _words(table["group"]),
            "price_band": _words(table["price_band"]),
            "category_before": _words(table["group_before"]),
            "n_views": table["n_views"].fillna(0).astype("int64"),
            "n_views_before": table["n_views_before"].fillna(0).astype("int64"),
            "change_chance": table["change_chance"],
            "last_view": (pd.Timestamp(as_of) - days).astype("datetime64[s]"),
        },
        copy=False,
    )


def changed_by_chance(events: pd.DataFrame, as_of: dt.date, rules: EngagementRules | None = None) -> float:
    """How many customers would be *just_changed* if nobody had changed: the mean of 10 shuffles.

    In each, the categories of a customer's views in both windows are dealt out anew over the days. Of more than 20,000
    customers that many are shuffled, and the count is scaled up; the same each time.

    >>> events = pd.DataFrame({"customer_id": ["a"], "event_date": pd.to_datetime(["2024-03-01"]), "event": ["view"],
    ...                        "category": ["tea"], "price_band": ["low"]})
    >>> changed_by_chance(events, dt.date(2024, 3, 31))
    0.0
    """
    rules, rng = rules or EngagementRules(), np.random.default_rng(0)
    marked, last = _windows(_numbered_views(events, as_of, rules)[0], rules)
    marked = marked[(last < rules.recent_days)[marked["who"]]]
    people = np.flatnonzero(np.bincount(marked["who"])) if len(marked) else []
    if not len(people):
        return 0.0
    chosen = rng.choice(people, min(len(people), _SHUFFLED), replace=False)
    picked = np.zeros(people[-1] + 1, dtype=bool)
    picked[chosen] = True
    marked = marked[picked[marked["who"]]].sort_values("who", kind="stable")
    flagged = []
    for _ in range(_ROUNDS):
        order = np.lexsort([rng.random(len(marked)), marked["who"]])
        dealt = marked.assign(group=marked["group"].array.take(order))
        found = _classified(dealt, last, rules)
        flagged.append((found["certain"] & ~found["same_group"] & (found["n_views_before"] > 0)).sum())
    return float(np.mean(flagged)) * len(people) / len(chosen)


def group_table(browsing: pd.DataFrame) -> pd.DataFrame:
    """How many look at each category in each price band: one row per category and band that anybody looks at.

    ``browsing`` is the table of :func:`browsing_segments`; silent customers are left out. Columns: category, price_band
    (missing where no band is known), n_customers, share_customers (of those who look), n_just_changed, n_views.

    >>> browsing = pd.DataFrame({"browsing": ["steady", "new"], "category": "tea", "price_band": "low", "n_views": 2})
    >>> group_table(browsing).values.tolist()
    [['tea', 'low', 2, 1.0, 0, 4]]
    """
    looking = browsing[~browsing["browsing"].isin(["silent", "unseen"])]
    looking = looking.assign(changed=looking["browsing"] == "just_changed")
    groups = looking.groupby(["category", "price_band"], dropna=False)
    table = groups.agg(n_customers=("changed", "size"), n_just_changed=("changed", "sum"), n_views=("n_views", "sum"))
    table.insert(1, "share_customers", table["n_customers"] / max(len(looking), 1))
    return table.reset_index()


def _pair(who: np.ndarray, codes: np.ndarray, width: int) -> np.ndarray:
    """One number for each customer and category; -1 where either is unknown."""
    return np.where((who >= 0) & (codes >= 0), who.astype("int64") * width + codes, -1)


def _bought_last(bought: pd.DataFrame, pairs: np.ndarray, ids: pd.Series, names: pd.Series) -> np.ndarray:
    """The last purchase of each pair of customer and category; missing where there was none."""
    pair = _pair(places(bought["customer_id"], ids), places(bought["category"], names), len(names))
    days = bought["last_bought"].set_axis(pair)[pair >= 0]
    return days.groupby(level=0).max().reindex(pairs).to_numpy()


def _wishes(rows: pd.DataFrame, bought: pd.DataFrame, fewest: int) -> pd.DataFrame:
    """The categories viewed at least so often by each customer, with age of the first and the last view."""
    (who, ids), groups = numbered(rows["customer_id"]), in_order(rows["category"])
    age, names = rows["age"].to_numpy(), pd.Series(groups.categories, dtype="str")
    pair, one = _pair(who, groups.codes, len(names)), np.ones(len(rows), dtype=bool)
    counts = grouped(pair, 0 * pair, {"n_views": one}, age)
    counts = counts[counts["n_views"] >= fewest]
    bands = in_order(rows["price_band"])
    known = bands.codes >= 0
    band = _most(grouped(pair[known], bands.codes[known], {"n": one[known]}, age[known]), "n")["code"]
    band = pd.Categorical.from_codes(band.reindex(counts["who"], fill_value=-1), categories=bands.categories)
    return counts.assign(
        customer_id=ids.take(counts["who"] // len(names)).array,
        category=names.take(counts["who"] % len(names)).array,
        price_band=pd.Series(band, index=counts.index).astype("str"),
        last_bought=_bought_last(bought, counts["who"].to_numpy(), ids, names),
    )


def viewed_not_bought(
    events: pd.DataFrame, bought: pd.DataFrame, as_of: dt.date, rules: EngagementRules | None = None
) -> pd.DataFrame:
    """What visitors looked at again and again and have not bought since: one row per customer and category.

    ``bought`` is the table of :func:`custvalue.timelines.category_purchases` as of the same day. Listed are categories
    with at least ``wish_views`` views in the last ``recent_days`` that the customer has not bought from on or after the
    day of the first of them. Columns: customer_id, category, price_band (the most viewed one), n_views, last_view,
    bought_before (whether he ever bought from it); most views first, then the latest.

    >>> events = pd.DataFrame({"customer_id": "a", "event_date": pd.to_datetime(["2024-03-01", "2024-03-02"]),
    ...                        "event": "view", "category": "tea", "price_band": "low"})
    >>> day = pd.Timestamp("2024-01-01")
    >>> bought = pd.DataFrame({"customer_id": ["a"], "category": ["tea"], "last_bought": [day]})
    >>> viewed_not_bought(events, bought, dt.date(2024, 3, 31))[["category", "n_views"]].values.tolist()
    [['tea', 2]]
    """
    rules, day = rules or EngagementRules(), pd.Timestamp(as_of)
    counted, age = _looks(events, as_of, rules)
    recent = counted & (age < rules.recent_days)
    table = _wishes(events[recent].assign(age=age[recent]), bought, rules.wish_views)
    first, last = ((day - pd.to_timedelta(table[name], unit="D")).astype("datetime64[s]") for name in ("oldest", "age"))
    table = table.assign(last_view=last, bought_before=table["last_bought"].notna())
    table, keys = table[~(table["last_bought"] >= first)], ["customer_id", "category"]
    table = table.sort_values(["n_views", "last_view", *keys], ascending=[False, False, True, True], ignore_index=True)
    return table[[*keys, "price_band", "n_views", "last_view", "bought_before"]]

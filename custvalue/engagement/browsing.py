"""What customers look at: main group and price band, who has just changed, and what was seen but not bought (C19)."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from custvalue.engagement.rules import EngagementRules
from custvalue.engagement.visitors import kinds_of, numbered
from custvalue.predicates import first_match

__all__ = ["BROWSING", "browsing_segments", "changed_by_chance", "group_table", "viewed_not_bought", "views"]

#: Codes of the browsing segments in the order they are shown.
BROWSING = ("just_changed", "new", "exploring", "steady", "silent", "unseen")

_PREDICATES = (
    ("unseen", lambda t: t["last_age"].isna()),
    ("silent", lambda t: t["silent"].eq(True)),
    ("new", lambda t: t["n_views_before"].eq(0)),
    ("steady", lambda t: t["same_group"].eq(True)),
    ("just_changed", lambda t: t["certain"].eq(True)),
    ("exploring", lambda t: t["last_age"].notna()),
)
#: Customers whose views are shuffled to learn how often chance alone looks like a change, and how many times.
_SHUFFLED, _ROUNDS = 20_000, 10
_FITTED_GROUPS = 100
#: Fewest customers with two earlier views, to know how far customers keep to their categories.
_FEWEST = 10


def views(events: pd.DataFrame, as_of: dt.date, rules: EngagementRules | None = None) -> pd.DataFrame:
    """The events that count as looking at a category: those with one, up to ``as_of``, of a kind with a weight above 0.

    One row per event: customer_id, event_date, category, price_band, age (days before ``as_of``).

    >>> events = pd.DataFrame({"customer_id": "a", "event_date": pd.to_datetime(["2024-03-01", "2024-04-02"]),
    ...                        "event": "view", "category": "tea", "price_band": "low"})
    >>> views(events, dt.date(2024, 3, 31))["age"].tolist()
    [30]
    """
    rules = rules or EngagementRules()
    weightless = [kind for kind, weight in rules.weights.items() if weight == 0]
    age = (pd.Timestamp(as_of) - events["event_date"]).dt.days
    seen = events["category"].notna() & (age >= 0) & ~kinds_of(events["event"]).isin(weightless)
    return events.loc[seen, ["customer_id", "event_date", "category", "price_band"]].assign(age=age[seen])


def _windows(seen: pd.DataFrame, rules: EngagementRules) -> pd.DataFrame:
    """The views with ``who`` (a number), last_age, silent, and whether each is recent or of the days before.

    For a customer silent for ``recent_days`` the windows are counted back from his last view.
    """
    marked = seen.assign(group=pd.Categorical(seen["category"]))
    last_age = marked.groupby("who")["age"].transform("min")
    silent = last_age >= rules.recent_days
    since = marked["age"] - np.where(silent, last_age, 0)
    return marked.assign(
        last_age=last_age,
        silent=silent,
        recent=since < rules.recent_days,
        before=(since >= rules.recent_days) & (since < rules.recent_days + rules.before_days),
    )


def _per_group(marked: pd.DataFrame) -> pd.DataFrame:
    """One row per customer (``who``) and category: recent and earlier views, and the age of the last one.

    ``n_habit`` are those that show what he usually looks at: the earlier ones; of a silent customer all.
    """
    rows = marked[marked["recent"] | marked["before"]]
    marks = {"recent": rows["recent"], "before": rows["before"], "habit": rows["before"] | rows["silent"]}
    rows = rows[["who", "group", "age"]].assign(**{name: mark.astype("int64") for name, mark in marks.items()})
    grouped = rows.groupby(["who", "group"], observed=True)
    table = grouped.agg(
        n_recent=("recent", "sum"), n_before=("before", "sum"), n_habit=("habit", "sum"), age=("age", "min")
    )
    return table.reset_index()


def _most(counts: pd.DataFrame, count: str, keys: str | list[str]) -> pd.DataFrame:
    """The row with the highest count of each key; of equal ones that seen last, then the first by name."""
    rows = counts[counts[count] > 0]
    oldest = rows["age"].max() if len(rows) else 0
    rank = rows[count] * (oldest + 1) + (oldest - rows["age"])
    best = rank.groupby([rows[key] for key in ([keys] if isinstance(keys, str) else keys)], sort=False).idxmax()
    return rows.loc[best].set_index(keys)


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
    sizes = fitted.groupby("who")["n_habit"].sum()
    people = sizes.index[sizes >= 2].to_series()
    people = people.sample(min(len(people), _SHUFFLED), random_state=0)
    table = fitted[fitted["who"].isin(people)].pivot(index="who", columns="group", values="n_habit").fillna(0)
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


def _classified(
    marked: pd.DataFrame, rules: EngagementRules, habits: tuple[float, pd.Series] | None = None
) -> pd.DataFrame:
    """One row per customer who looked at anything, by ``who``: counts, main groups, the chance of the change."""
    counts = _per_group(marked)
    totals = counts.groupby("who")[["n_recent", "n_before"]].sum()
    main, earlier = (_most(counts, count, "who").reindex(totals.index) for count in ("n_recent", "n_before"))
    most_before = earlier["n_before"].fillna(0)
    first = marked.drop_duplicates("who").set_index("who").reindex(totals.index)
    changed = (main["n_before"] < most_before) & ~first["silent"].astype(bool)
    changed &= totals["n_before"] > 0
    p_value = pd.Series(np.nan, index=totals.index)
    p_value[changed] = _chance(main[changed], totals[changed], habits or _habits(counts))
    return pd.DataFrame(
        {
            "group": main["group"],
            "group_before": earlier["group"],
            "n_views": totals["n_recent"],
            "n_views_before": totals["n_before"],
            "change_chance": p_value,
            "last_age": first["last_age"],
            "silent": first["silent"],
            "same_group": ~changed,
            "certain": p_value <= rules.change_noise,
        }
    )


def _bands(marked: pd.DataFrame, found: pd.DataFrame) -> pd.Series:
    """The most viewed price band within the main group, by ``who``; missing where no band is known."""
    rows = marked[marked["recent"] & marked["price_band"].notna()]
    main = found["group"].cat.codes.reindex(rows["who"]).to_numpy()
    rows = rows[rows["group"].cat.codes.to_numpy() == main]
    rows = rows[["who", "age"]].assign(price_band=pd.Categorical(rows["price_band"]))
    counts = rows.groupby(["who", "price_band"], observed=True)["age"].agg(n="size", age="min").reset_index()
    return _most(counts, "n", "who")["price_band"].reindex(found.index)


def _numbered_views(
    events: pd.DataFrame, as_of: dt.date, rules: EngagementRules, customers: pd.DataFrame | None = None
) -> tuple[pd.DataFrame, pd.Index]:
    """The views with ``who``, the number of the customer, and the ids of all customers and visitors by number."""
    known = events[events["event_date"] <= pd.Timestamp(as_of)].reset_index(drop=True)
    who, ids = numbered(known["customer_id"], customers)
    seen = views(known, as_of, rules)
    return seen.assign(who=who[seen.index]), ids


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
    marked = _windows(seen, rules)
    found = _classified(marked, rules)
    found["price_band"] = _bands(marked, found)
    table = found.reindex(range(len(ids)))
    days = pd.to_timedelta(table["last_age"], unit="D")
    return pd.DataFrame(
        {
            "customer_id": pd.Series(ids, dtype="str"),
            "browsing": first_match(table, _PREDICATES, BROWSING),
            "category": table["group"].astype("str"),
            "price_band": table["price_band"].astype("str"),
            "category_before": table["group_before"].astype("str"),
            "n_views": table["n_views"].fillna(0).astype("int64"),
            "n_views_before": table["n_views_before"].fillna(0).astype("int64"),
            "change_chance": table["change_chance"],
            "last_view": (pd.Timestamp(as_of) - days).astype("datetime64[s]"),
        }
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
    marked = _windows(_numbered_views(events, as_of, rules)[0], rules)
    marked = marked[(marked["recent"] | marked["before"]) & ~marked["silent"]].sort_values("who", kind="stable")
    people = marked["who"].unique()
    if not len(people):
        return 0.0
    chosen = rng.choice(people, min(len(people), _SHUFFLED), replace=False)
    marked = marked[marked["who"].isin(chosen)]
    flagged = []
    for _ in range(_ROUNDS):
        order = np.lexsort([rng.random(len(marked)), marked["who"]])
        dealt = marked.assign(group=marked["group"].array.take(order))
        found = _classified(dealt, rules)
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
    rules = rules or EngagementRules()
    seen = views(events, as_of, rules)
    seen = seen[seen["age"] < rules.recent_days]
    keys = ["customer_id", "category"]
    table = seen.groupby(keys)["event_date"].agg(n_views="size", first_view="min", last_view="max").reset_index()
    table = table[table["n_views"] >= rules.wish_views]
    bands = seen[seen["price_band"].notna()].groupby([*keys, "price_band"]).agg(n=("age", "size"), age=("age", "min"))
    band = _most(bands.reset_index(), "n", keys)["price_band"].reset_index()
    table = table.merge(bought[[*keys, "last_bought"]], on=keys, how="left").merge(band, on=keys, how="left")
    table = table[~(table["last_bought"] >= table["first_view"])].assign(bought_before=table["last_bought"].notna())
    table = table.sort_values(["n_views", "last_view", *keys], ascending=[False, False, True, True], ignore_index=True)
    return table[[*keys, "price_band", "n_views", "last_view", "bought_before"]]

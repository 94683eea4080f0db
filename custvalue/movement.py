"""What changed between two months: who moved between groups, who came and went, and the bridge of value."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from custvalue.ids import places
from custvalue.labels import labels
from custvalue.review import KINDS

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "BRIDGE_PARTS",
    "FLOWS",
    "bridge_total",
    "customer_flows",
    "in_both",
    "move_table",
    "move_words",
    "movement_matrix",
    "movers",
    "moves",
    "value_bridge",
]

#: The steps of the bridge, in the order they are shown.
BRIDGE_PARTS = ("before", "new", "returned", "grown", "shrunk", "lost", "corrected", "yardstick", "now")
#: Customers who came or went.
FLOWS = ("new", "returned", "lost")

#: Money is added up in whole ten-thousandths, so that the parts of a bridge give its end exactly.
_EXACT = 10_000
_MONEY = ("clv_12m", "sales_12m", "margin_12m")
#: Stages of a customer who was as good as gone.
_AWAY = ("decline", "drop")


def _beside(before: pd.DataFrame, now: pd.DataFrame, rows_before: Any, rows_now: Any) -> pd.DataFrame:
    """Rows of both tables side by side, each column with _from and _to; a place of -1 has nothing."""
    import pandas as pd

    parts = []
    for table, rows, end in ((before, rows_before, "_from"), (now, rows_now, "_to")):
        found = table.reset_index(drop=True).reindex(rows).reset_index(drop=True)
        parts.append(found.drop(columns="customer_id").add_suffix(end))
    return pd.concat(parts, axis=1)


def in_both(before: pd.DataFrame, now: pd.DataFrame, columns: Iterable[str]) -> pd.DataFrame:
    """One row per customer of both months: customer_id, each column with _from and _to; nobody's money is 0."""
    import numpy as np

    names = list(dict.fromkeys(columns))
    rows = places(now["customer_id"], before["customer_id"])
    here = np.flatnonzero(rows >= 0)
    both = _beside(before[["customer_id", *names]], now[["customer_id", *names]], rows[here], here)
    both.insert(0, "customer_id", now["customer_id"].to_numpy()[here])
    return _with_money(both)


def _in_either(before: pd.DataFrame, now: pd.DataFrame, columns: Iterable[str]) -> pd.DataFrame:
    """One row per customer of either month: each column with _from and _to, ``in_before`` and ``in_now``."""
    import numpy as np

    names = list(dict.fromkeys(columns))
    rows = places(now["customer_id"], before["customer_id"])
    gone = np.flatnonzero(np.bincount(rows[rows >= 0], minlength=len(before)) == 0)
    rows_before, rows_now = np.append(rows, gone), np.append(np.arange(len(now)), np.full(len(gone), -1))
    both = _beside(before[["customer_id", *names]], now[["customer_id", *names]], rows_before, rows_now)
    return _with_money(both.assign(in_before=rows_before >= 0, in_now=rows_now >= 0))


def _with_money(both: pd.DataFrame) -> pd.DataFrame:
    """The money of the two months as numbers; what is not known is 0."""
    money = [name for name in both if name.removesuffix("_from").removesuffix("_to") in _MONEY]
    return both.assign(**{name: both[name].astype(float).fillna(0.0) for name in money})


def _moved(both: pd.DataFrame, kind: str) -> pd.Series:
    """Whether a customer has another code than before."""
    import pandas as pd

    earlier, later = both[f"{kind}_from"], both[f"{kind}_to"]
    if isinstance(earlier.dtype, pd.CategoricalDtype) and earlier.dtype == later.dtype:
        return earlier.cat.codes != later.cat.codes
    return earlier.astype(str) != later.astype(str)


def _counts(both: pd.DataFrame, kind: str) -> pd.DataFrame:
    codes = list(labels(kind))
    pairs = both.groupby([f"{kind}_from", f"{kind}_to"], observed=True).size().unstack(fill_value=0)
    counts = pairs.rename(index=str, columns=str).reindex(index=codes, columns=codes, fill_value=0).astype(int)
    return counts.rename_axis(index="from_code", columns="to_code")


def movement_matrix(before: pd.DataFrame, now: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Who moved: counts of customers by their code in the earlier month (rows) and now (columns).

    Both are scorecards; ``now`` on the yardsticks of the earlier month (:func:`custvalue.history.remeasured`), so that
    a move is the customer's. Customers who are not in both are not counted; see :func:`customer_flows`.

    >>> import pandas as pd
    >>> before = pd.DataFrame({"customer_id": ["a", "b"], "tier": ["gold", "lead"]})
    >>> movement_matrix(before, before.assign(tier=["gold", "gold"]), "tier").loc["lead", "gold"]
    np.int64(1)
    """
    return _counts(in_both(before, now, [kind]), kind)


def moves(before: pd.DataFrame, now: pd.DataFrame, kinds: tuple[str, ...] = KINDS) -> pd.DataFrame:
    """One row per kind of group: kind, n_same, n_moved, n_new, share_moved (of those known in both months).

    >>> import pandas as pd
    >>> before = pd.DataFrame({"customer_id": ["a", "b"], "tier": ["gold", "lead"]})
    >>> moves(before, before.assign(tier=["iron", "lead"]), ("tier",))
       kind  n_same  n_moved  n_new  share_moved
    0  tier       1        1      0          0.5
    """
    import numpy as np
    import pandas as pd

    both, rows = in_both(before, now, kinds), []
    for kind in kinds:
        counts = _counts(both, kind)
        same, known = int(np.trace(counts)), int(counts.to_numpy().sum())
        rows.append((kind, same, known - same, len(now) - known, (known - same) / known if known else np.nan))
    return pd.DataFrame(rows, columns=["kind", "n_same", "n_moved", "n_new", "share_moved"])


def move_table(before: pd.DataFrame, now: pd.DataFrame, kinds: tuple[str, ...] = KINDS) -> pd.DataFrame:
    """The moves between the groups of every kind, with the money in them: one row per kind and pair of codes.

    Customers in both scorecards count; ``now`` is on the yardsticks of the earlier month. Columns: kind, from_code,
    to_code, n_customers; sales_from and sales_to (their sales of the 12 months up to either date, money); sales_gained
    and sales_lost (the sums of what rose and of what fell, both above 0), margin_gained and margin_lost (missing where
    margin is not known). Most sales moved first within a kind.

    >>> import pandas as pd
    >>> before = pd.DataFrame({"customer_id": ["a"], "tier": ["gold"], "sales_12m": [90.0], "margin_12m": [30.0]})
    >>> now = before.assign(tier=["iron"], sales_12m=[60.0])
    >>> move_table(before, now, ("tier",))[["kind", "from_code", "to_code", "sales_lost"]]
       kind from_code to_code  sales_lost
    0  tier      gold    iron        30.0
    """
    import numpy as np
    import pandas as pd

    both = in_both(before, now, [*kinds, "sales_12m", "margin_12m"])
    for name in ("sales", "margin"):
        change = both[f"{name}_12m_to"] - both[f"{name}_12m_from"]
        both[f"{name}_gained"], both[f"{name}_lost"] = change.clip(lower=0), -change.clip(upper=0)
    if now["margin_12m"].isna().all() or before["margin_12m"].isna().all():
        both[["margin_gained", "margin_lost"]] = np.nan
    both = both.rename(columns={"sales_12m_from": "sales_from", "sales_12m_to": "sales_to"})
    return pd.concat([_moves_of(both, kind) for kind in kinds], ignore_index=True)


def _moves_of(both: pd.DataFrame, kind: str) -> pd.DataFrame:
    money = ["sales_from", "sales_to", "sales_gained", "sales_lost", "margin_gained", "margin_lost"]
    moved = both[_moved(both, kind)]
    codes = {"from_code": moved[f"{kind}_from"].astype(str), "to_code": moved[f"{kind}_to"].astype(str)}
    groups = moved[money].assign(**codes).groupby(["from_code", "to_code"], sort=True)
    table = groups[money].sum(min_count=1)
    table.insert(0, "n_customers", groups.size())
    table = table.reset_index().assign(size=lambda t: t["sales_gained"] + t["sales_lost"])
    table = table.sort_values(["size", "from_code", "to_code"], ascending=[False, True, True]).drop(columns="size")
    table.insert(0, "kind", kind)
    return table


def move_words(kind: str, language: str = "en") -> dict[str, dict[str, str]]:
    """The words for the codes of a kind in the columns from_code and to_code, for :func:`custvalue.tables.show`.

    >>> move_words("tier")["to_code"]["gold"]
    'B · Gold'
    """
    return dict.fromkeys(("from_code", "to_code"), labels(kind, language))


def movers(before: pd.DataFrame, now: pd.DataFrame, kind: str = "tier", up: bool = True, n: int = 10) -> pd.DataFrame:
    """Who moved up (or down) in a kind of group whose codes have an order, the best first: most money first.

    One row per customer, at most ``n``: customer_id, from_code, to_code, sales_from, sales_to, sales_change (sales of
    12 months, money), clv_12m (expected value of the next 12 months) and clv_change.

    >>> import pandas as pd
    >>> before = pd.DataFrame({"customer_id": ["a", "b"], "tier": ["lead", "gold"], "sales_12m": [1.0, 9.0],
    ...                        "clv_12m": [1.0, 9.0]})
    >>> now = before.assign(tier=["gold", "gold"], sales_12m=[8.0, 9.0])
    >>> movers(before, now)[["customer_id", "to_code", "sales_change"]]
      customer_id to_code  sales_change
    0           a    gold           7.0
    """
    place = {code: rank for rank, code in enumerate(labels(kind))}
    both = in_both(before, now, [kind, "sales_12m", "clv_12m"])
    both = both[_moved(both, kind)]
    codes = {name: both[f"{kind}_{name}"].astype(str) for name in ("from", "to")}
    step = codes["from"].map(place).astype(float) - codes["to"].map(place).astype(float)
    sales = both["sales_12m_to"] - both["sales_12m_from"]
    table = both.assign(
        from_code=codes["from"],
        to_code=codes["to"],
        sales_from=both["sales_12m_from"],
        sales_to=both["sales_12m_to"],
        sales_change=sales,
        clv_12m=both["clv_12m_to"],
        clv_change=both["clv_12m_to"] - both["clv_12m_from"],
        size=sales.abs(),
    )
    table = table[step > 0 if up else step < 0].sort_values(["size", "customer_id"], ascending=[False, True])
    columns = ["customer_id", "from_code", "to_code", "sales_from", "sales_to", "sales_change", "clv_12m", "clv_change"]
    return table[columns].head(n).reset_index(drop=True)


def _came_or_went(both: pd.DataFrame, since: dt.date) -> pd.Series:
    """The part of the bridge each customer belongs to; empty for those who were there all along."""
    import numpy as np
    import pandas as pd

    day = pd.Timestamp(since)
    conditions = {
        "new": both["first_order_to"] > day,
        "corrected": ~(both["in_before"] & both["in_now"]),
        "returned": both["stage_from"].isin(_AWAY) & (both["last_order_to"] > day),
        "lost": (both["stage_to"] == "drop") & (both["stage_from"] != "drop"),
    }
    return pd.Series(np.select(list(conditions.values()), list(conditions), default=""), index=both.index)


def _flows(before: pd.DataFrame, now: pd.DataFrame, since: dt.date) -> pd.DataFrame:
    both = _in_either(before, now, ["first_order", "last_order", "stage", *_MONEY])
    return both.assign(part=_came_or_went(both, since))


def customer_flows(before: pd.DataFrame, now: pd.DataFrame, since: dt.date) -> pd.DataFrame:
    """Who came and who went since the earlier month, which ended on ``since``.

    One row per flow, also an empty one: ``flow``: *new* (first order since then; also where an earlier one came back
    as a whole), *returned* (was in decline or drop and ordered again since), *lost* (now in the stage drop, then not;
    lost as the model and the silence say, not as anybody knows); n_customers; sales_12m and margin_12m (of the 12
    months up to now, money), clv_from and clv_to (expected value of 12 months, then and now), clv_change. Margin is
    missing where it is not known.

    >>> import pandas as pd
    >>> import custvalue as cv
    >>> days, amounts = ["2025-01-05", "2025-01-31", "2025-01-20"], [20, 30, 5]
    >>> orders = cv.read(pd.DataFrame({"customer_id": list("aab"), "order_date": days, "amount": amounts}))
    >>> settings = cv.load_settings()
    >>> customers = cv.customer_table(orders)
    >>> before, now = cv.earlier_month(orders, settings), cv.month(customers, orders.as_of, settings)
    >>> customer_flows(before.scorecard, now.scorecard, before.as_of)[["flow", "n_customers"]]
           flow  n_customers
    0       new            2
    1  returned            0
    2      lost            0
    """
    import pandas as pd

    both = _flows(before, now, since)
    both["part"] = pd.Categorical(both["part"].where(both["part"].isin(FLOWS)), FLOWS)
    groups = both.groupby("part", observed=False)
    sums = groups[["sales_12m_to", "margin_12m_to", "clv_12m_from", "clv_12m_to"]].sum()
    sums.columns = ["sales_12m", "margin_12m", "clv_from", "clv_to"]
    sums.insert(0, "n_customers", groups.size())
    if now["margin_12m"].isna().all():
        sums["margin_12m"] = float("nan")
    table = sums.assign(clv_change=sums["clv_to"] - sums["clv_from"]).reset_index(names="flow")
    return table.assign(flow=pd.Categorical(table["flow"], FLOWS, ordered=True))


def _exact(values: pd.Series) -> pd.Series:
    return (values.astype(float).fillna(0.0) * _EXACT).round().astype("int64")


def value_bridge(before: pd.DataFrame, alike: pd.DataFrame, now: pd.DataFrame, since: dt.date) -> pd.DataFrame:
    """From the earlier month's value to this month's, step by step; the steps add up exactly.

    ``before`` and ``now`` are the scorecards of the two months, ``alike`` is that of today on the yardsticks of the
    earlier month (:func:`custvalue.history.remeasured`), which ended on ``since``.

    One row per step of :data:`BRIDGE_PARTS`: ``bridge_part``; n_customers; clv_12m (expected value of 12 months),
    sales_12m and margin_12m (of the last 12 months): totals in the first and last row, changes between. Every customer
    stands in one step: *new*, *returned* and *lost* as in :func:`customer_flows`; *corrected*: in one of the months
    only, though not new (orders corrected or loaded late; only where there are such); *grown* and *shrunk*: all others,
    by the change of their expected value (where it did not change, of their sales). *yardstick*: what this month's
    models and means expect beyond the earlier month's, of the same customers. Margin is missing where it is not known
    in both.

    >>> import pandas as pd
    >>> import custvalue as cv
    >>> days, amounts = ["2025-01-05", "2025-01-31", "2025-01-20"], [20, 30, 5]
    >>> orders = cv.read(pd.DataFrame({"customer_id": list("aab"), "order_date": days, "amount": amounts}))
    >>> settings = cv.load_settings()
    >>> customers = cv.customer_table(orders)
    >>> before, now = cv.earlier_month(orders, settings), cv.month(customers, orders.as_of, settings)
    >>> alike = cv.remeasured(before, now, customers, settings)
    >>> value_bridge(before.scorecard, alike, now.scorecard, before.as_of)[["bridge_part", "n_customers", "sales_12m"]]
      bridge_part  n_customers  sales_12m
    0      before            0        0.0
    1         new            2       55.0
    2    returned            0        0.0
    3       grown            0        0.0
    4      shrunk            0        0.0
    5        lost            0        0.0
    6   yardstick         <NA>        0.0
    7         now            2       55.0
    """
    import numpy as np
    import pandas as pd

    both = _flows(before, alike, since)
    change = {name: _exact(both[f"{name}_to"]) - _exact(both[f"{name}_from"]) for name in _MONEY}
    signs = [np.sign(change[name].to_numpy()) for name in _MONEY]
    sign = np.select([signs[0] != 0, signs[1] != 0], signs[:2], default=signs[2])
    part = both["part"].where(both["part"] != "", np.select([sign > 0, sign < 0], ["grown", "shrunk"], default=""))
    sums = pd.DataFrame(change).groupby(part).sum().reindex([*BRIDGE_PARTS], fill_value=0)
    for name in _MONEY:
        first, last, like = (int(_exact(table[name]).sum()) for table in (before, now, alike))
        sums.loc["before", name], sums.loc["now", name] = first, last
        sums.loc["yardstick", name] = last - like
    counts = part.value_counts().reindex([*BRIDGE_PARTS], fill_value=0).astype("Int64")
    counts["before"], counts["now"], counts["yardstick"] = len(before), len(now), pd.NA
    table = sums / _EXACT
    table.insert(0, "n_customers", counts)
    if (len(before) and before["margin_12m"].isna().all()) or now["margin_12m"].isna().all():
        table["margin_12m"] = np.nan
    table = table.drop(index=[] if counts["corrected"] else ["corrected"]).reset_index(names="bridge_part")
    return table.assign(bridge_part=pd.Categorical(table["bridge_part"], BRIDGE_PARTS, ordered=True))


def bridge_total(bridge: pd.DataFrame, by: str = "clv_12m") -> tuple[float, float]:
    """The value before and now of a :func:`value_bridge`.

    >>> import pandas as pd
    >>> bridge = pd.DataFrame({"bridge_part": ["before", "new", "now"], "sales_12m": [100.0, 20.0, 120.0]})
    >>> bridge_total(bridge, "sales_12m")
    (100.0, 120.0)
    """
    totals = bridge.set_index("bridge_part")[by]
    return float(totals["before"]), float(totals["now"])

"""Campaign rows made ready to be judged: who was written to or held out, who responded, in which segment they were."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from custvalue.uplift import CampaignRules, check_columns

if TYPE_CHECKING:
    from custvalue.segmentation import SegmentationRules
    from custvalue.transactions import Orders

__all__ = ["campaign_notes", "needs_orders", "sent_from_lists", "with_responses", "with_segments"]

#: So many sending days are looked back at for the segments of their time, the latest first.
_DAYS_LOOKED_AT = 12


def sent_from_lists(lists: pd.DataFrame) -> pd.DataFrame:
    """Audience lists of an earlier month in the shape of the campaigns file, each list a campaign of its own.

    ``lists``: audience, customer_id, channel, held_out, listed_on. Everybody on a list and not held out counts as
    written to, whether or not it was done; cost and responses are not known here (see :func:`with_responses`). Segment,
    tier and stage are those of the list, where it has them.

    >>> lists = pd.DataFrame({"audience": "care", "customer_id": ["a", "b"], "channel": "", "held_out": [True, False],
    ...                       "listed_on": pd.Timestamp("2024-01-31")})
    >>> sent_from_lists(lists)[["campaign", "customer_id", "hold_out"]].values.tolist()
    [['care', 'a', True], ['care', 'b', False]]
    """
    check_columns(lists, ("audience", "customer_id", "channel", "held_out", "listed_on"))
    then = [column for column in ("segment", "tier", "stage") if column in lists]
    return pd.DataFrame(
        {
            "customer_id": lists["customer_id"],
            "campaign": lists["audience"].astype(str),
            "sent_date": pd.to_datetime(lists["listed_on"]),
            "list": lists["audience"].astype(str),
            "channel": lists["channel"].where(lists["channel"] != ""),
            "cost": np.nan,
            "hold_out": lists["held_out"].astype(bool),
            "responded": pd.Series(pd.NA, index=lists.index, dtype="boolean"),
            "revenue": np.nan,
            **{column: lists[column] for column in then},
        }
    )


def _bought(sent: pd.DataFrame, purchases: pd.DataFrame) -> pd.DataFrame:
    """Orders and money of each row of ``sent`` within its window, by row."""
    rows = sent[["customer_id", "sent_date", "days_seen"]].reset_index(names="row")
    money = purchases[["customer_id", "order_date", "sales"]]
    both = rows.merge(money[money["customer_id"].isin(rows["customer_id"])], on="customer_id")
    after = (pd.to_datetime(both["order_date"]) - both["sent_date"]).dt.days
    inside = both[(after >= 0) & (after <= both["days_seen"])]
    return inside.groupby("row")["sales"].agg(["size", "sum"]).reindex(sent.index, fill_value=0)


def with_segments(sent: pd.DataFrame, orders: Orders, rules: SegmentationRules | None = None) -> pd.DataFrame:
    """Campaign rows with the behaviour segment of each customer on the day before sending, as ``segment``.

    Today's segment would not do: who responded has moved since. Missing for who had not bought by then and, where there
    are more than 12 sending days, for the older ones. Rows that have a segment already are given back as they are.

    >>> import pandas as pd
    >>> import custvalue as cv
    >>> days, amounts = ["2025-01-05", "2025-01-31", "2025-01-20"], [20, 30, 5]
    >>> orders = cv.read(pd.DataFrame({"customer_id": list("aab"), "order_date": days, "amount": amounts}))
    >>> sent = pd.DataFrame({"customer_id": ["a"], "campaign": ["tea"], "sent_date": pd.to_datetime(["2025-01-28"])})
    >>> with_segments(sent, orders)["segment"].tolist()
    ['first_time']
    """
    from custvalue.customers import customer_table
    from custvalue.segmentation import SEGMENTS, behaviour_segments

    if "segment" in sent:
        return sent
    parts = [sent[["customer_id", "sent_date"]].head(0).assign(segment="")]
    for day in sorted(sent["sent_date"].unique())[-_DAYS_LOOKED_AT:]:
        known = customer_table(orders, (pd.Timestamp(day) - pd.Timedelta(1, "D")).date())
        if len(known):
            parts.append(behaviour_segments(known, rules)[["customer_id", "segment"]].assign(sent_date=day))
    found = pd.concat([part.astype({"segment": str}) for part in parts])
    table = sent.merge(found, on=["customer_id", "sent_date"], how="left", validate="m:1")
    return table.assign(segment=pd.Categorical(table["segment"], SEGMENTS, ordered=True))


def _recorded(sent: pd.DataFrame) -> pd.Series:
    """Whether the file says who responded, of those written to and of those held out alike, by row."""
    known = sent["responded"].notna()
    told = known.groupby([sent["campaign"], sent["hold_out"]]).transform("any")
    return told.groupby(sent["campaign"]).transform("all")


def needs_orders(sent: pd.DataFrame) -> bool:
    """Whether the orders must tell who responded, because the rows do not, or not of both groups.

    >>> needs_orders(pd.DataFrame({"campaign": ["m"], "responded": [True], "hold_out": [False]}))
    False
    """
    table = sent.assign(
        **{name: sent.get(name, pd.Series(pd.NA, index=sent.index)) for name in ("responded", "hold_out")}
    )
    table["hold_out"] = table["hold_out"].astype("boolean").fillna(False)
    return bool(len(table)) and not _recorded(table).all()


def with_responses(
    sent: pd.DataFrame,
    purchases: pd.DataFrame | None = None,
    as_of: dt.date | None = None,
    rules: CampaignRules | None = None,
) -> pd.DataFrame:
    """Campaign rows up to ``as_of`` with who responded and what they spent, from the file or from the orders.

    ``sent`` has one row per customer and mailing (:func:`custvalue.beside.read_campaigns`). What the file says of a
    campaign counts where it says it of those written to and of those held out; an empty cell is then no response.
    Otherwise a response is an order from the day of sending to ``rules.response_days`` days after it, for both groups
    alike; ``purchases`` are customer_id, order_date and sales of each day with a purchase
    (:func:`custvalue.timelines.purchases_since`).

    Columns of ``sent`` with ``hold_out`` (true, false), ``responded`` (missing where nothing tells) and ``revenue``;
    added: ``told_by`` (``file``, ``orders`` or ``nobody``) and ``days_seen`` (days of the window that have passed).

    >>> sent = pd.DataFrame({"customer_id": ["a", "b"], "campaign": "m", "sent_date": pd.Timestamp("2024-03-01"),
    ...                      "hold_out": [False, True]})
    >>> bought = pd.DataFrame({"customer_id": ["a"], "order_date": [pd.Timestamp("2024-03-09")], "sales": [50.0]})
    >>> with_responses(sent, bought, dt.date(2024, 3, 31))[["responded", "revenue", "told_by"]].values.tolist()
    [[True, 50.0, 'orders'], [False, 0.0, 'orders']]
    """
    rules = rules or CampaignRules()
    check_columns(sent, ("customer_id", "campaign", "sent_date"))
    day = pd.Timestamp(as_of) if as_of else sent["sent_date"].max() + pd.Timedelta(rules.response_days, "D")
    table = sent[sent["sent_date"] <= day].reset_index(drop=True)
    for column, kind in (("hold_out", "boolean"), ("responded", "boolean"), ("revenue", "float64")):
        empty = pd.Series(pd.NA if kind == "boolean" else np.nan, index=table.index)
        table[column] = table.get(column, empty).astype(kind)
    table["hold_out"] = table["hold_out"].fillna(False).astype(bool)
    table["days_seen"] = (day - table["sent_date"]).dt.days.clip(upper=rules.response_days)
    return _told(table, purchases)


def _told(table: pd.DataFrame, purchases: pd.DataFrame | None) -> pd.DataFrame:
    """Fill in responses and revenue: what the file tells, else what the orders tell."""
    by_file = _recorded(table)
    told = np.where(by_file, "file", "nobody" if purchases is None else "orders")
    responded = table["responded"].fillna(False).where(by_file)
    in_file = table["revenue"].notna().groupby(table["campaign"]).transform("any")
    revenue = table["revenue"].fillna(0.0).where(by_file & in_file)
    if purchases is not None and not by_file.all():
        bought = _bought(table, purchases)
        responded = responded.where(by_file, bought["size"] > 0)
        revenue = revenue.where(by_file, bought["sum"].astype(float))
    return table.assign(responded=responded.astype("boolean"), revenue=revenue, told_by=told)


def campaign_notes(sent: pd.DataFrame, rules: CampaignRules | None = None) -> tuple[str, ...]:
    """What a reader must know of the rows of :func:`with_responses`, as note codes.

    ``by_orders``: responses are orders within the window; ``so_far:12``: of some campaigns only so many days have
    passed; ``no_hold_out:a;b``: campaigns with nobody held out; ``nobody_tells``: campaigns without known responses.

    >>> campaign_notes(pd.DataFrame({"campaign": ["m"], "hold_out": [False], "told_by": ["file"], "days_seen": [30]}))
    ('no_hold_out:m',)
    """
    days = (rules or CampaignRules()).response_days
    by_orders = sent[sent["told_by"] == "orders"]
    found = [f"by_orders:{days}"] if len(by_orders) else []
    if len(by_orders) and by_orders["days_seen"].min() < days:
        found.append(f"so_far:{int(by_orders['days_seen'].min())}")
    held = sent.groupby("campaign")["hold_out"].any()
    if len(lacking := held.index[~held]):
        found.append(f"no_hold_out:{';'.join(map(str, lacking))}")
    return tuple(found + (["nobody_tells"] if (sent["told_by"] == "nobody").any() else []))

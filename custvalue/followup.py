"""What was sent, with what came of it: the campaigns file, and the audiences of an earlier month's report."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from custvalue.campaigns import needs_orders, sent_from_lists, with_responses, with_segments
from custvalue.history import pack_folders
from custvalue.timelines import purchases_since

if TYPE_CHECKING:
    import pandas as pd

    from custvalue.config import Settings
    from custvalue.contacts import Contacts
    from custvalue.transactions import Orders

__all__ = ["campaigns_sent", "lists_followed", "lists_sent"]

_NEEDED = ("audience", "customer_id", "channel", "held_out", "listed_on")
#: A report of which fewer of the customers are known today is another shop's.
_KNOWN_SHARE = 0.5


def _read(folder: Path, known: set[str]) -> pd.DataFrame:
    """The lists of a report; any exception means that they can not be used."""
    import pandas as pd

    lists = pd.read_parquet(folder / "tables" / "audiences.parquet")
    lists = lists.astype({"customer_id": "str", "held_out": bool, "listed_on": "datetime64[s]"})[
        [*_NEEDED, *(column for column in ("segment", "tier", "stage") if column in lists)]
    ]
    months = lists["listed_on"].dt.strftime("%Y-%m").unique()
    if list(months) != [folder.name] or lists["customer_id"].isin(known).mean() < _KNOWN_SHARE:
        raise ValueError(folder.name)
    return lists


def lists_sent(history: str | Path, as_of: dt.date, customer_ids: Iterable[str]) -> pd.DataFrame:
    """The audiences of the latest report before the month of ``as_of``, in the shape of the campaigns file.

    ``history`` is the folder of the reports (``YYYY-MM``), ``customer_ids`` the customers of today; a report that is
    damaged, has no audiences, or is of other customers is passed over. One row per list and customer, see
    :func:`custvalue.campaigns.sent_from_lists`; no row where there is no such report.

    >>> lists_sent("", dt.date(2025, 12, 31), ["a"]).empty
    True
    """
    import pandas as pd

    known = set(customer_ids)
    for folder in pack_folders(history, as_of):
        try:
            return sent_from_lists(_read(folder, known))
        except Exception:  # whatever is wrong with a file that somebody may have changed, an older one may do
            continue
    return sent_from_lists(pd.DataFrame(columns=list(_NEEDED)).astype({"held_out": bool, "listed_on": "datetime64[s]"}))


def _responses(sent: pd.DataFrame, orders: Orders, settings: Settings, first: int = 0) -> pd.DataFrame:
    """Rows with their responses, from the day ``first`` after sending; orders are asked only where rows do not tell."""
    since = sent["sent_date"].min() + dt.timedelta(days=first)
    bought = purchases_since(orders, since.date()) if needs_orders(sent) else None
    return with_responses(sent, bought, orders.as_of, settings.campaigns)


def campaigns_sent(campaigns: Contacts | None, orders: Orders, settings: Settings) -> pd.DataFrame:
    """The campaigns file up to the as-of date, with responses and the segment before sending; no row without a file.

    See :func:`custvalue.campaigns.with_responses` and :func:`custvalue.campaigns.with_segments`.

    >>> import pandas as pd
    >>> import custvalue as cv
    >>> days, amounts = ["2025-01-05", "2025-01-31", "2025-01-20"], [20, 30, 5]
    >>> orders = cv.read(pd.DataFrame({"customer_id": list("aab"), "order_date": days, "amount": amounts}))
    >>> campaigns_sent(None, orders, cv.load_settings()).empty  # no campaigns file
    True
    """
    if campaigns is None:
        return _responses(lists_sent("", orders.as_of, ()), orders, settings)
    return with_segments(_responses(campaigns.table, orders, settings), orders, settings.segmentation)


def lists_followed(
    history: str | Path, orders: Orders, customer_ids: Iterable[str], settings: Settings
) -> pd.DataFrame:
    """The audiences of the latest earlier report with who has ordered since; no row where there is no such report.

    A list is made at the end of its day: an order of that day is no response to it.

    >>> import pandas as pd
    >>> import custvalue as cv
    >>> days, amounts = ["2025-01-05", "2025-01-31", "2025-01-20"], [20, 30, 5]
    >>> orders = cv.read(pd.DataFrame({"customer_id": list("aab"), "order_date": days, "amount": amounts}))
    >>> lists_followed("", orders, ["a", "b"], cv.load_settings()).empty  # no earlier report
    True
    """
    return _responses(lists_sent(history, orders.as_of, customer_ids), orders, settings, first=1)

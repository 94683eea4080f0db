"""The health check as the notebooks ask for it: of the behaviour segments, or of the firm's own groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from custvalue.customers import customer_table
from custvalue.errors import UsageError, nearest
from custvalue.healthcheck import health_check
from custvalue.ids import joined
from custvalue.indices import beside
from custvalue.pipeline import month_before
from custvalue.segmentation import SegmentationRules, behaviour_segments

if TYPE_CHECKING:
    from custvalue.config import Settings
    from custvalue.transactions import Orders

__all__ = ["segment_health"]


def _own(customers: pd.DataFrame, attributes: pd.DataFrame | None, by: str) -> pd.DataFrame:
    columns = [] if attributes is None else [name for name in attributes if name != "customer_id"]
    if by not in columns:
        allowed = ", ".join(columns) or "-"
        raise UsageError("unknown_column", got=by, nearest=nearest(by, columns or ["-"]), allowed=allowed)
    return beside(customers.drop(columns=by, errors="ignore"), attributes)


def segment_health(
    orders: Orders,
    customers: pd.DataFrame,
    attributes: pd.DataFrame | None,
    settings: Settings,
    rules: SegmentationRules | None = None,
) -> pd.DataFrame:
    """The findings of :func:`custvalue.healthcheck.health_check` for the groups the settings name.

    Without ``health.by`` the behaviour segments (by ``rules``) are checked: they are made of today, cut again on other
    customers, and compared with those of the month before. With it, the column of the customers file of that name is,
    with the actions of the strategy catalogue if it has a kind of that name.

    Raises ``UsageError`` for a column the customers file does not have.

    >>> import pandas as pd
    >>> import custvalue as cv
    >>> days, amounts = ["2025-01-05", "2025-01-31", "2025-01-20"], [20, 30, 5]
    >>> orders = cv.read(pd.DataFrame({"customer_id": list("aab"), "order_date": days, "amount": amounts}))
    >>> settings = cv.load_settings()
    >>> customers = cv.customer_table(orders)
    >>> segment_health(orders, customers, None, settings).columns.tolist()
    ['check', 'health', 'reason', 'number', 'limit']
    """
    known = [] if attributes is None else [name for name in attributes if name != "customer_id"]
    options = {"attributes": known, "as_of": orders.as_of}
    if settings.health.by:
        table = _own(customers, attributes, settings.health.by)
        return health_check(table, settings.health.by, settings.health, **options)
    rules = rules or settings.segmentation
    table = beside(joined(customers, behaviour_segments(customers, rules)), attributes)
    before = behaviour_segments(customer_table(orders, month_before(orders.as_of)), rules)
    options |= {"before": before, "again": lambda part: behaviour_segments(part, rules), "made_on": orders.as_of}
    return health_check(table, "segment", settings.health, **options)

"""From a file and the settings to clean orders and the tables beside them: what every notebook starts with."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from custvalue import lifetime
from custvalue.config import Settings, load_settings, parse_day
from custvalue.customers import customer_table
from custvalue.errors import DataError
from custvalue.referrals import customer_ids
from custvalue.sources import find_file, match_columns, read_frame, read_source
from custvalue.transactions import clean, last_complete_month

if TYPE_CHECKING:
    import pandas as pd

    from custvalue.transactions import Orders

__all__ = [
    "forecast_orders",
    "month_before",
    "read",
    "read_attributes",
    "read_cuts",
    "read_labels",
    "two_months",
    "with_contact_cost",
]

#: Columns of the forecast that an analysis may ask for, see :func:`two_months`.
_FORECASTS = ("clv_12m", "clv_life", "expected_orders_12m", "p_alive")


def read(data: Any, settings: Settings | None = None, *, whole_file: bool = False) -> Orders:
    """Read and clean an order file: CSV, Excel, Parquet, a data folder, or a data frame.

    Rows after the as-of date of the settings are set aside; where they give none, it is the end of the last month that
    the data cover to its last day. ``whole_file`` keeps all days instead.

    >>> import pandas as pd
    >>> rows = pd.DataFrame({"customer_id": ["1", "1"], "order_date": ["2024-01-05", "2024-02-29"], "amount": [10, 20]})
    >>> read(rows).as_of
    datetime.date(2024, 2, 29)

    Raises
    ------
    UsageError, DataError
        The settings or the data can not be used; the message says what to change.
    """
    settings = settings or load_settings(data=data)
    source = read_source(data, settings.read, settings.columns)
    as_of = parse_day(settings.as_of) or (None if whole_file else last_complete_month)
    return clean(
        source,
        settings.clean,
        settings.read,
        as_of=as_of,
        margin_rate=settings.margin_rate,
        attributes=settings.attributes,
    )


def _beside(data: Any, named: str, stem: str) -> Path | None:
    if named:
        if not os.path.isfile(named):
            raise DataError("no_such_input", got=named, key=f"inputs.{stem}")
        return Path(named)
    if isinstance(data, (str, Path)) and Path(data).is_dir():
        return find_file(Path(data), stem)
    return None


def read_attributes(data: Any, settings: Settings | None = None) -> pd.DataFrame | None:
    """What is known of the customers beside their orders: one row per customer_id (text); None where there is no file.

    Columns that hold only numbers become numbers, but for ``referrer``, which holds ids. Of a customer listed twice the
    last row counts.
    """
    import pandas as pd

    settings = settings or load_settings(data=data)
    path = _beside(data, settings.inputs.customers, "customers")
    if path is None:
        return None
    table = read_frame(path)
    mapping = match_columns(table.columns)
    if "customer_id" not in mapping:
        raise DataError("missing_beside", file=path.name, missing="customer_id", got=", ".join(table.columns))
    table = table.rename(columns={mapping["customer_id"]: "customer_id"})
    ids = table["customer_id"].str.strip().str.replace(r"^(\d+)\.0+$", r"\1", regex=True)
    table = table.assign(customer_id=ids).dropna(subset="customer_id")
    table = table.drop_duplicates("customer_id", keep="last").reset_index(drop=True)
    for column in table.columns.difference(["customer_id", "referrer"], sort=False):
        numbers = pd.to_numeric(table[column], errors="coerce")
        if numbers.notna().sum() == table[column].notna().sum():
            table[column] = numbers
    return table


def read_labels(data: Any, settings: Settings | None = None, language: str = "en") -> Mapping[str, Mapping[str, str]]:
    """Words for the data's own codes, {column: {code: word}}, from ``labels.csv`` (column, code, en, zh) if there.

    >>> read_labels("no/such/folder")
    {}
    """
    settings = settings or load_settings(data=data)
    path = _beside(data, settings.inputs.labels, "labels")
    if path is None:
        return {}
    table = read_frame(path)
    missing = {"column", "code", language} - set(table.columns)
    if missing:
        raise DataError(
            "missing_beside",
            file=path.name,
            missing=", ".join(sorted(missing)),
            got=", ".join(table.columns),
        )
    words = {column: dict(zip(part["code"], part[language], strict=True)) for column, part in table.groupby("column")}
    words["main_category"] = words.get("category", {})
    return words


def forecast_orders(orders: Orders, customers: pd.DataFrame, settings: Settings) -> lifetime.Forecast:
    """Forecast with the model that did best on a held-out end of the customers' own history.

    Where the history is too short to hold anything out, the forecast is made all the same and its ``scores`` are empty.
    """
    cutoff = lifetime.cutoff_day(customers, orders.as_of, settings.lifetime)
    scores = None
    if cutoff is not None:
        early = customer_table(orders, cutoff)
        scores = lifetime.holdout_scores(early, customers, (orders.as_of - cutoff).days, settings.lifetime)
    return lifetime.forecast(customers, orders.as_of, settings.lifetime, scores=scores)


def read_cuts(data: Any, settings: Settings | None = None) -> pd.DataFrame | None:
    """Frozen limits of the matrices and the pyramid: kind, cut_of, cut, from ``cuts.csv``; None where there is none.

    The notebooks write such tables; in the data folder (or named in ``[inputs]``) they keep the limits of a month.

    >>> read_cuts("no/such/folder")
    """
    settings = settings or load_settings(data=data)
    path = _beside(data, settings.inputs.cuts, "cuts")
    return read_frame(path) if path else None


def with_contact_cost(
    attributes: pd.DataFrame | None, data: Any, as_of: dt.date, settings: Settings | None = None
) -> pd.DataFrame | None:
    """The attributes with ``contact_cost_12m``: what messages to the customer cost in the 365 days up to ``as_of``.

    From ``campaigns.csv`` (customer_id, sent_date as YYYY-MM-DD, cost) where there is one and it holds a cost; a
    customer nobody wrote to has 0. Without it the attributes are given back as they are.

    Raises
    ------
    DataError
        The file lacks the customer or the day, or holds a day or a cost that can not be read.
    """
    import pandas as pd

    settings = settings or load_settings(data=data)
    path = _beside(data, settings.inputs.campaigns, "campaigns")
    sent = read_frame(path) if path else None
    if path is None or sent is None or "cost" not in sent:
        return attributes
    missing = {"customer_id", "sent_date"} - set(sent)
    if missing:
        raise DataError(
            "missing_beside", file=path.name, missing=", ".join(sorted(missing)), got=", ".join(sent.columns)
        )
    day = pd.to_datetime(sent["sent_date"], format="%Y-%m-%d", errors="coerce")
    cost = pd.to_numeric(sent["cost"], errors="coerce")
    for column, read_as in (("sent_date", day), ("cost", cost)):
        wrong = sent[column][read_as.isna() & sent[column].notna()]
        if len(wrong):
            raise DataError("beside_not_read", file=path.name, column=column, n=len(wrong), example=wrong.iloc[0])
    last_year = (day <= pd.Timestamp(as_of)) & (day > pd.Timestamp(as_of - dt.timedelta(days=365)))
    spent = (
        cost[last_year]
        .groupby(customer_ids(sent["customer_id"]))
        .sum()
        .rename_axis("customer_id")
        .rename("contact_cost_12m")
        .reset_index()
    )
    if attributes is None:
        return spent
    table = attributes.merge(spent, on="customer_id", how="outer")
    return table.assign(contact_cost_12m=table["contact_cost_12m"].fillna(0.0))


def month_before(as_of: dt.date) -> dt.date:
    """The end of the calendar month before the month of ``as_of``.

    >>> month_before(dt.date(2024, 3, 31))
    datetime.date(2024, 2, 29)
    """
    return as_of.replace(day=1) - dt.timedelta(days=1)


def two_months(orders: Orders, settings: Settings, needs: Collection[str] = ()) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The customer tables as of the orders' date and of the end of the month before.

    Columns of the forecast that an analysis ``needs`` (such as ``clv_12m``) are joined to both, from the same model, so
    that a move is the customer's and not the model's; other names in ``needs`` are passed over.
    """
    day = month_before(orders.as_of)
    now, before = customer_table(orders), customer_table(orders, day)
    wanted = [column for column in _FORECASTS if column in needs]
    if not wanted:
        return now, before
    forecast = forecast_orders(orders, now, settings)
    wanted = [column for column in wanted if column in forecast.table]
    now = now.merge(forecast.table[["customer_id", *wanted]], on="customer_id", validate="1:1")
    if len(before):
        earlier = lifetime.forecast(before, day, settings.lifetime, scores=forecast.scores)
        return now, before.merge(earlier.table[["customer_id", *wanted]], on="customer_id", validate="1:1")
    return now, before.assign(**dict.fromkeys(wanted, 0.0))

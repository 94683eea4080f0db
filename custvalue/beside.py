"""The tables beside the orders: attributes, events, campaigns, words, limits and texts of the firm."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from custvalue import segmentation
from custvalue.columns import EVENT_COLUMNS
from custvalue.config import Settings, load_settings, read_toml
from custvalue.contacts import clean_campaigns, clean_events
from custvalue.errors import DataError
from custvalue.prepared import files_state, shared, shared_by
from custvalue.pseudonyms import hash_frame, hash_key
from custvalue.sources import ReadRules, find_file, match_columns, read_frame
from custvalue.strategy import overlaid

if TYPE_CHECKING:
    import pandas as pd

    from custvalue.contacts import Contacts
    from custvalue.transactions import Orders

__all__ = [
    "event_rows",
    "quality_beside",
    "read_attributes",
    "read_campaigns",
    "read_clusters",
    "read_cuts",
    "read_events",
    "read_labels",
    "read_strategy",
    "with_contact_cost",
]


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

    >>> from custvalue.share import sample_folder
    >>> read_attributes(sample_folder())[["customer_id", "acquisition_channel", "region"]].iloc[0].tolist()
    ['C00001', 'search_ad', 'east']
    """
    settings = settings or load_settings(data=data)
    path = _beside(data, settings.inputs.customers, "customers")
    if path is None:
        return None
    state = (files_state(path), settings.hash_ids)
    return shared("attributes", state, lambda: _attributes(path, hash_key(settings.hash_ids)))


def _attributes(path: Path, key: bytes) -> pd.DataFrame:
    import pandas as pd

    table = read_frame(path)
    mapping = match_columns(table.columns)
    if "customer_id" not in mapping:
        raise DataError("missing_beside", file=path.name, missing="customer_id", got=", ".join(table.columns))
    table = table.rename(columns={mapping["customer_id"]: "customer_id"})
    ids = table["customer_id"].str.strip().str.replace(r"^(\d+)\.0+$", r"\1", regex=True)
    table = table.assign(customer_id=ids).dropna(subset="customer_id")
    table = table.drop_duplicates("customer_id", keep="last").reset_index(drop=True)
    table = hash_frame(table, key, ("customer_id", "referrer"))
    for column in table.columns.difference(["customer_id", "referrer"], sort=False):
        numbers = pd.to_numeric(table[column], errors="coerce")
        if numbers.notna().sum() == table[column].notna().sum():
            table[column] = numbers
    return table


def _known(orders: Orders | None) -> list[str]:
    return [] if orders is None else orders.table.select("customer_id").distinct().execute()["customer_id"].tolist()


def _contacts(
    clean_table: Callable[..., Contacts], stem: str, data: Any, settings: Settings | None, orders: Orders | None
) -> Contacts | None:
    """A table beside the orders, read and cleaned; None where there is none."""
    settings = settings or load_settings(data=data)
    path = _beside(data, getattr(settings.inputs, stem), stem)
    if path is None:
        return None
    known, key = _known(orders), hash_key(settings.hash_ids)
    state = (files_state(path), settings.timezone, settings.hash_ids)
    return shared_by(
        orders,
        stem,
        state,
        lambda: clean_table(path, ReadRules(), timezone=settings.timezone, known=known, hash_key=key),
    )


def read_events(data: Any, settings: Settings | None = None, orders: Orders | None = None) -> Contacts | None:
    """Views, searches and messages from ``events.*`` beside the orders; None where there is no such file.

    With ``orders``, rows of customers without an order are counted apart. See :class:`custvalue.contacts.Contacts`.

    >>> from custvalue.share import sample_folder
    >>> read_events(sample_folder()).table.columns.tolist()
    ['customer_id', 'event_date', 'event', 'category', 'price_band', 'channel']
    """
    return _contacts(clean_events, "events", data, settings, orders)


def _worded(column: pd.Series) -> pd.Categorical:
    """Text as a categorical, its words in the order in which they appear."""
    import pandas as pd

    return pd.Categorical.from_codes(*pd.factorize(column))


def event_rows(data: Any, settings: Settings | None = None, orders: Orders | None = None) -> pd.DataFrame:
    """The events of :func:`read_events`, one row each; a table without rows where there is no such file.

    Ids and words are categoricals: the same text a million times over is then numbered once, not by each analysis.

    >>> list(event_rows("no/such/folder"))
    ['customer_id', 'event_date', 'event', 'category', 'price_band', 'channel']
    """
    import pandas as pd

    events = read_events(data, settings, orders)
    if events is not None:
        words = events.table.columns.difference(["event_date"])
        return events.table.assign(**{name: _worded(events.table[name]) for name in words})
    empty = pd.DataFrame({column.name: pd.Series(dtype="str") for column in EVENT_COLUMNS})
    return empty.astype({"event_date": "datetime64[s]"})


def read_campaigns(data: Any, settings: Settings | None = None, orders: Orders | None = None) -> Contacts | None:
    """Who was written to and who responded, from ``campaigns.*`` beside the orders; None where there is no such file.

    With ``orders``, rows of customers without an order are counted apart. See :class:`custvalue.contacts.Contacts`.

    >>> from custvalue.share import sample_folder
    >>> sorted(set(read_campaigns(sample_folder()).table["campaign"]))
    ['autumn_news', 'second_visit', 'spring_mailing', 'vip_evening', 'win_back']
    """
    return _contacts(clean_campaigns, "campaigns", data, settings, orders)


def quality_beside(data: Any, settings: Settings | None = None, orders: Orders | None = None) -> pd.DataFrame:
    """The account of the tables beside the orders: one row per table_beside (events, campaigns), status and reason.

    Column rows; no row where there are no such tables.

    >>> quality_beside("no/such/folder").empty
    True
    """
    import pandas as pd

    found = {"events": read_events(data, settings, orders), "campaigns": read_campaigns(data, settings, orders)}
    columns = ["table_beside", "status", "reason", "rows"]
    parts = [contacts.quality.assign(table_beside=name) for name, contacts in found.items() if contacts is not None]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


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
    for column in ("main_category", "category_before", "other_category", "next_category", "because"):
        words[column] = words.get("category", {})
    return words


def read_strategy(data: Any, settings: Settings | None = None) -> Mapping[str, Any]:
    """What to do for each code: our texts with the firm's own ``strategy.toml`` laid over them, if there is one.

    The file is ``inputs.strategy`` of the settings, else ``strategy.toml`` in the data folder. The result is what
    ``strategy_for``, ``strategy_table``, ``rule_table`` and ``advise`` take as ``texts``. Raises ``UsageError`` for a
    file that is no TOML or holds unknown groups, see :func:`custvalue.strategy.overlaid`.

    >>> read_strategy("no/such/folder")["tier"]["gold"]["goal"]["en"]
    'Win the part of their spend that goes to other suppliers.'
    """
    settings = settings or load_settings(data=data)
    path = _strategy_file(data, settings.inputs.strategy)
    return overlaid(read_toml(path), path.name) if path else overlaid({})


def _strategy_file(data: Any, named: str) -> Path | None:
    if named or not isinstance(data, (str, Path)):
        return _beside("", named, "strategy")
    path = Path(data) / "strategy.toml"
    return path if path.is_file() else None


def read_cuts(data: Any, settings: Settings | None = None) -> pd.DataFrame | None:
    """Frozen limits of the matrices and the pyramid: kind, cut_of, cut, from ``cuts.csv``; None where there is none.

    The notebooks write such tables; in the data folder (or named in ``[inputs]``) they keep the limits of a month.

    >>> read_cuts("no/such/folder")
    """
    settings = settings or load_settings(data=data)
    path = _beside(data, settings.inputs.cuts, "cuts")
    return read_frame(path) if path else None


def read_clusters(data: Any, settings: Settings | None = None) -> pd.DataFrame | None:
    """The centres of clusters kept from an earlier month, from ``clusters.csv``; None where there is none.

    Such a table is written by the notebook of the segments, see :func:`custvalue.segmentation.kept_model`.

    >>> read_clusters("no/such/folder")
    """
    settings = settings or load_settings(data=data)
    path = _beside(data, settings.inputs.clusters, "clusters")
    return segmentation.kept_model(read_frame(path), path.name) if path else None


def with_contact_cost(
    attributes: pd.DataFrame | None, data: Any, as_of: dt.date, settings: Settings | None = None
) -> pd.DataFrame | None:
    """The attributes with ``contact_cost_12m``: what messages to the customer cost in the 365 days up to ``as_of``.

    From :func:`read_campaigns` where there are any and they hold a cost; a customer nobody wrote to has 0. Without them
    the attributes are given back as they are. Rows set aside there (no day, no readable cost) are not counted.

    >>> import pandas as pd
    >>> import datetime as dt
    >>> from custvalue.share import sample_folder
    >>> known = pd.DataFrame({"customer_id": ["C00001", "C00002"]})
    >>> with_contact_cost(known, sample_folder(), dt.date(2025, 12, 31)).head(2)
      customer_id  contact_cost_12m
    0      C00001               0.3
    1      C00002               0.0
    """
    import pandas as pd

    settings = settings or load_settings(data=data)
    campaigns = read_campaigns(data, settings)
    if campaigns is None or campaigns.table["cost"].isna().all():
        return attributes
    sent = campaigns.table
    day = pd.Timestamp(as_of)
    last_year = sent[(sent["sent_date"] <= day) & (sent["sent_date"] > day - pd.Timedelta(365, "D"))]
    spent = last_year.groupby("customer_id")["cost"].sum().rename("contact_cost_12m").reset_index()
    if attributes is None:
        return spent
    table = attributes.merge(spent, on="customer_id", how="outer")
    return table.assign(contact_cost_12m=table["contact_cost_12m"].fillna(0.0))

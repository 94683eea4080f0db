"""Tables of a notebook that sort, filter and download in the browser, without a network."""

from __future__ import annotations

from typing import Any

import pandas as pd

from custvalue.labels import text
from custvalue.tables import show

__all__ = ["MOST_ROWS", "listing", "renew", "table_widget", "worded"]

#: Rows a table holds at most: all of them are sent to the browser.
MOST_ROWS = 10_000
_PAGE = 10
_FEW = {"topStart": None, "topEnd": None, "bottomStart": "buttons", "bottomEnd": None}
_MANY = {"topStart": "search", "topEnd": "buttons", "bottomStart": "info", "bottomEnd": "paging"}
#: Words DataTables puts around a table, by its names.
_AROUND = ("search", "info", "infoEmpty", "infoFiltered", "zeroRecords", "emptyTable")


def worded(table: pd.DataFrame, language: str = "en", currency: str = "") -> pd.DataFrame:
    """A table in words as :func:`custvalue.tables.show` puts them on; what is missing is empty, so that numbers sort.

    >>> worded(pd.DataFrame({"tier": ["gold"], "share_customers": [0.04]})).iloc[0].to_dict()
    {'Tier': 'B · Gold', 'Share of customers': '4.0%'}
    """
    shown = show(table, language, currency=currency, max_rows=len(table))
    words = pd.DataFrame(shown.rows, columns=[column.heading for column in shown.columns])
    return words.mask(table.isna().to_numpy(), "")


def _around(language: str) -> dict[str, str]:
    return {name: text(f"explore.table_{name}", language) for name in _AROUND}


def _options(language: str, long: bool = False) -> dict[str, Any]:
    """What itables is to do: no index, all rows, values unbroken, and our words around the table."""
    return {
        "showIndex": False,
        "classes": "display compact",
        "style": "width: 100%; caption-side: bottom",
        "columnDefs": [{"className": "dt-body-nowrap", "targets": "_all"}],
        "layout": _MANY if long else _FEW,
        "buttons": [{"extend": "csvHtml5", "text": text("explore.table_download", language), "bom": True}],
        "pageLength": _PAGE,
        "order": [],
        "language": _around(language),
        "maxBytes": 0,
        "maxRows": 0,
    }


def table_widget(table: pd.DataFrame, language: str = "en", *, long: bool = False) -> Any:
    """A table, in words already, as a widget: sorts and downloads; a long one is also searched and turned over."""
    from itables.widget import ITable

    return ITable(table, **_options(language, long)).add_class("cv-explore-table")


def renew(widget: Any, table: pd.DataFrame, language: str = "en") -> None:
    """Put another table into a widget of :func:`table_widget`; the options go with it, or itables forgets them."""
    widget.update(table, **_options(language))


def listing(table: pd.DataFrame, language: str = "en", currency: str = "") -> Any:
    """A long table as widgets; beyond ``MOST_ROWS`` rows only the first are shown, and that is said."""
    import ipywidgets as w

    shown = table_widget(worded(table.head(MOST_ROWS), language, currency), language, long=True)
    said = text("explore.table_cut", language, n=MOST_ROWS, total=len(table)) if len(table) > MOST_ROWS else ""
    return w.VBox([*([w.HTML(f"<p>{said}</p>")] if said else []), shown]).add_class("cv-explore-list")

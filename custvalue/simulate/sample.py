"""The sample on disk: dirty rows as a till would leave them, and files that are the same bytes every time."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd

from custvalue.errors import UsageError
from custvalue.simulate.draw import names, stream
from custvalue.simulate.rules import DIRTY_ROWS, SEED
from custvalue.simulate.store import simulate

__all__ = ["with_dirty_rows", "write_sample"]

_TABLES = ("orders", "customers", "events", "campaigns", "truth", "labels")

_CONFIG = "custvalue.toml"


def _as_text(orders: pd.DataFrame) -> pd.DataFrame:
    return orders.assign(
        order_date=orders["order_date"].dt.strftime("%Y-%m-%d"),
        amount=orders["amount"].map("{:.2f}".format),
        cost=orders["cost"].map("{:.2f}".format),
    )


def _damaged(kind: str, rows: pd.DataFrame, n_orders: int) -> pd.DataFrame:
    """Copies of order rows made unusable in one way; sales without a customer get an order of their own."""
    even = np.arange(len(rows)) % 2 == 0
    new_order = names("O", n_orders + np.arange(len(rows)), 6).to_numpy()
    changes = {
        "no_customer": {"customer_id": "", "order_id": new_order},
        "bad_date": {"order_date": np.where(even, "2024-13-45", "n/a")},
        "bad_amount": {"amount": np.where(even, "abc", "")},
        "future": {"order_date": "2099-01-01"},
        "year_1970": {"order_date": "1970-01-01"},
        "zero_amount": {"amount": "0.00", "cost": "0.00"},
    }
    return rows.assign(**changes[kind])


def with_dirty_rows(orders: pd.DataFrame, seed: int = SEED) -> pd.DataFrame:
    """The order lines as text with damaged copies among them; ``DIRTY_ROWS`` tells how many of each kind.

    The copies only come on top: without the rows that can not be used, the clean lines remain. A row of zero
    amount repeats a line of the same order, so it adds no day of purchase.

    >>> orders = simulate(200, seed=1).orders
    >>> len(with_dirty_rows(orders)) - len(orders) == sum(DIRTY_ROWS.values())
    True
    """
    rng, text = stream(seed, "dirty"), _as_text(orders)
    bought = text[orders["amount"] > 0]
    copies = [
        _damaged(kind, bought.take(rng.randint(len(bought), size=count)), orders["order_id"].nunique())
        for kind, count in DIRTY_ROWS.items()
    ]
    return pd.concat([text, *copies]).sort_index(kind="stable").reset_index(drop=True)


def _write_csv(table: pd.DataFrame, path: Path, float_format: str) -> Path:
    table.to_csv(
        path,
        index=False,
        encoding="utf-8",
        lineterminator="\n",
        float_format=float_format,
        date_format="%Y-%m-%d",
    )
    return path


def write_sample(folder: str | Path, n_customers: int = 5000, seed: int = SEED) -> list[Path]:
    r"""Write a simulated store into a folder (made if missing): six CSV files and ``custvalue.toml``.

    UTF-8 and ``\n`` line ends; no byte depends on the day or the machine. Returns the paths written. Raises
    ``UsageError`` (``sample_folder``) when a file is in the way of the folder.

    >>> import tempfile
    >>> [path.name for path in write_sample(tempfile.mkdtemp(), n_customers=50)][:2]
    ['orders.csv', 'customers.csv']
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise UsageError("sample_folder", path=folder)
    folder.mkdir(parents=True, exist_ok=True)
    shop = simulate(n_customers, seed)
    tables = {name: getattr(shop, name) for name in _TABLES} | {"orders": with_dirty_rows(shop.orders, seed)}
    written = [
        _write_csv(table, folder / f"{name}.csv", "%.6g" if name == "truth" else "%.2f")
        for name, table in tables.items()
    ]
    config = folder / _CONFIG
    config.write_bytes(resources.files("custvalue.simulate").joinpath(_CONFIG).read_bytes())
    return [*written, config]

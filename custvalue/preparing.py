"""What several notebooks of a run ask for, made by the runner while the first of them start."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from custvalue.config import Settings
    from custvalue.transactions import Orders

__all__ = ["preparing", "put_down"]


def _steps(orders: Orders, settings: Settings) -> Iterator[tuple[str, Callable[[], Any]]]:
    """What notebooks share, in the order they need it: the function they call, and how to make its result now."""
    from custvalue import pipeline
    from custvalue.customers import customer_table

    day = pipeline.month_before(orders.as_of)
    yield "customer_table", lambda: customer_table(orders)
    yield "backtest_orders", lambda: pipeline.backtest_orders(orders, settings)
    yield "forecast_orders", lambda: pipeline.forecast_orders(orders, customer_table(orders), settings)
    yield "earlier_month", lambda: customer_table(orders, day)


def put_down(data: str, orders: Orders, settings: Settings) -> Orders:
    """The orders as the notebooks will find them, whose rows lie in the shared folder and not in memory.

    To be called within :func:`custvalue.prepared.sharing`; ``data`` and ``settings`` are those the notebooks will ask
    with.
    """
    from custvalue.prepared import shared_orders

    return shared_orders(data, settings, {"whole_file": False}, lambda: orders)


@contextmanager
def preparing(data: str, orders: Orders, settings: Settings, notebooks: Collection[Path]) -> Iterator[None]:
    """Put the orders where the notebooks find them, and make the results whose functions they name; to be entered
    within :func:`custvalue.prepared.sharing`.

    ``data`` and ``settings`` are those the notebooks will ask with. A notebook that needs a result waits for it instead
    of making it again. A failure here is left to the notebook that asks: it fails in turn, and its cell is named.
    """
    asked = "".join(path.read_text("utf-8") for path in notebooks)
    kept = put_down(data, orders, settings)
    over = threading.Event()

    def make() -> None:
        for name, step in _steps(kept, settings):
            if name in asked and not over.is_set():
                with suppress(Exception):
                    step()

    worker = threading.Thread(target=copy_context().run, args=(make,), daemon=True)
    worker.start()
    try:
        yield
    finally:
        over.set()
        worker.join()

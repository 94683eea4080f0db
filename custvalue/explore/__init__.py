"""Explorers for whoever works in the notebook: turn a setting, see chart and table, keep it in custvalue.toml.

Each shows its widgets where a person sits at the notebook (see :func:`custvalue.explore.presence.is_interactive`);
elsewhere it does nothing, loads nothing and leaves no output.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from custvalue.explore.presence import is_interactive
from custvalue.explore.saving import save_settings, settings_file

if TYPE_CHECKING:
    import pandas as pd

    from custvalue.config import Settings
    from custvalue.lifetime import Forecast
    from custvalue.matrix import MatrixRules
    from custvalue.pyramid import PyramidRules
    from custvalue.segmentation import SegmentationRules
    from custvalue.transactions import Orders

__all__ = [
    "explore_clusters",
    "explore_customer",
    "explore_lifetime",
    "explore_matrix",
    "explore_pyramid",
    "explore_stages",
    "explore_table",
    "is_interactive",
    "save_settings",
    "settings_file",
]


def _show(make: str, *given: Any, settings: Settings, file: Path | None, asked: bool | None) -> None:
    if not is_interactive(asked):
        return
    from IPython.display import display

    from custvalue.explore import answers
    from custvalue.explore.panel import panel

    explorer = getattr(answers, make)(*given)
    display(panel(explorer, settings.language, settings.currency, file))


def explore_pyramid(
    customers: pd.DataFrame,
    settings: Settings,
    rules: PyramidRules | None = None,
    *,
    file: Path | None = None,
    interactive: bool | None = None,
) -> None:
    """Sliders for the cut points and the measure of the customer pyramid.

    ``customers`` is the customer table (with :func:`custvalue.pyramid.with_profit` also by profit), ``rules`` where to
    begin (those of the settings), ``file`` the settings file the choice can be written to, see :func:`settings_file`.

    >>> import pandas as pd
    >>> import custvalue as cv
    >>> customers = pd.DataFrame({"customer_id": ["a", "b"], "sales": [90.0, 10.0]})
    >>> explore_pyramid(customers, cv.load_settings(), interactive=False)  # True: show it wherever this runs
    """
    given = (customers, settings, rules or settings.pyramid)
    _show("pyramid_explorer", *given, settings=settings, file=file, asked=interactive)


def explore_matrix(
    customers: pd.DataFrame,
    settings: Settings,
    rules: MatrixRules | None = None,
    attributes: pd.DataFrame | None = None,
    *,
    file: Path | None = None,
    interactive: bool | None = None,
) -> None:
    """Sliders for where high begins in both value matrices, and for the weights of the growth potential.

    >>> import pandas as pd
    >>> import custvalue as cv
    >>> customers = pd.DataFrame({"customer_id": ["a", "b"], "sales": [90.0, 10.0]})
    >>> explore_matrix(customers, cv.load_settings(), interactive=False)  # True: show it wherever this runs
    """
    given = (customers, settings, rules or settings.matrix, attributes)
    _show("matrix_explorer", *given, settings=settings, file=file, asked=interactive)


def explore_clusters(
    customers: pd.DataFrame,
    settings: Settings,
    rules: SegmentationRules | None = None,
    *,
    file: Path | None = None,
    interactive: bool | None = None,
) -> None:
    """A slider for the number of clusters, computed on at most 5,000 customers drawn at random.

    >>> import pandas as pd
    >>> import custvalue as cv
    >>> customers = pd.DataFrame({"customer_id": ["a", "b"], "sales": [90.0, 10.0]})
    >>> explore_clusters(customers, cv.load_settings(), interactive=False)  # True: show it wherever this runs
    """
    given = (customers, settings, rules or settings.segmentation)
    _show("clusters_explorer", *given, settings=settings, file=file, asked=interactive)


def explore_lifetime(
    customers: pd.DataFrame,
    forecast: Forecast,
    settings: Settings,
    *,
    file: Path | None = None,
    interactive: bool | None = None,
) -> None:
    """What if: discount rate, yearly cost of keeping a customer, margin and retention against the value for life.

    >>> import custvalue as cv
    >>> from custvalue.share import sample_folder
    >>> orders = cv.read(sample_folder())
    >>> customers = cv.customer_table(orders)
    >>> forecast = cv.lifetime.forecast(customers, orders.as_of, cv.lifetime.LifetimeRules(model="pareto_nbd"))
    >>> explore_lifetime(customers, forecast, cv.load_settings(), interactive=False)  # True: show it wherever this runs
    """
    _show("lifetime_explorer", customers, forecast, settings, settings=settings, file=file, asked=interactive)


def explore_stages(
    customers: pd.DataFrame, settings: Settings, *, file: Path | None = None, interactive: bool | None = None
) -> None:
    """Sliders for the limits of the churn stages; ``customers`` is the customer table with the forecast joined.

    >>> import custvalue as cv
    >>> from custvalue.share import sample_folder
    >>> orders = cv.read(sample_folder())
    >>> customers = cv.customer_table(orders)
    >>> forecast = cv.lifetime.forecast(customers, orders.as_of, cv.lifetime.LifetimeRules(model="pareto_nbd"))
    >>> known = customers.merge(forecast.table, on="customer_id")
    >>> explore_stages(known, cv.load_settings(), interactive=False)  # True: show it wherever this runs
    """
    _show("stages_explorer", customers, settings, settings=settings, file=file, asked=interactive)


def explore_customer(
    orders: Orders,
    customers: pd.DataFrame,
    forecast: Forecast,
    settings: Settings,
    *,
    interactive: bool | None = None,
) -> None:
    """One customer by id: purchases, probability of still being active day by day, and outlook.

    ``customers`` is the customer table with whatever is known joined: tier, stage, forecast.

    >>> import custvalue as cv
    >>> from custvalue.share import sample_folder
    >>> orders = cv.read(sample_folder())
    >>> customers = cv.customer_table(orders)
    >>> forecast = cv.lifetime.forecast(customers, orders.as_of, cv.lifetime.LifetimeRules(model="pareto_nbd"))
    >>> known = customers.merge(forecast.table, on="customer_id")
    >>> explore_customer(orders, known, forecast, cv.load_settings(), interactive=False)  # True: show it anywhere
    """
    _show("customer_explorer", orders, customers, forecast, settings, settings=settings, file=None, asked=interactive)


def explore_table(
    table: pd.DataFrame, language: str = "en", *, currency: str = "", interactive: bool | None = None
) -> None:
    """A long table to sort, search and download as CSV; at most the first 10,000 rows are shown.

    >>> import pandas as pd
    >>> explore_table(pd.DataFrame({"customer_id": ["C1"], "sales": [12.0]}))  # nothing where nobody sits before it
    """
    if not is_interactive(interactive):
        return
    from IPython.display import display

    from custvalue.explore.listing import listing

    display(listing(table, language, currency))

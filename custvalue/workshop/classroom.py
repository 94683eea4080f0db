"""The data of the class, read once: what the questions compute their answers from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from custvalue.config import Settings, load_settings
from custvalue.errors import DataError
from custvalue.share import sample_folder

if TYPE_CHECKING:
    import pandas as pd

    from custvalue.lifetime import Backtest, Forecast
    from custvalue.transactions import Orders

__all__ = ["Classroom", "classroom"]


@dataclass(frozen=True)
class Classroom:
    """A data folder and everything the questions ask of it, each computed when first needed.

    ``folder``: the folder of the sample (or of a store simulated alike, with its ``truth.csv``).

    >>> Classroom(str(sample_folder())).orders.as_of
    datetime.date(2025, 12, 31)
    """

    folder: str

    @cached_property
    def settings(self) -> Settings:
        return load_settings("", self.folder)

    @cached_property
    def orders(self) -> Orders:
        from custvalue.pipeline import read

        return read(self.folder, self.settings)

    @cached_property
    def customers(self) -> pd.DataFrame:
        from custvalue.customers import customer_table

        return customer_table(self.orders)

    @cached_property
    def year_ago(self) -> pd.DataFrame:
        """The customer table 365 days earlier."""
        import datetime as dt

        from custvalue.customers import customer_table

        return customer_table(self.orders, self.orders.as_of - dt.timedelta(days=365))

    def _beside(self, stem: str) -> pd.DataFrame:
        from custvalue import beside

        reader = {"customers": beside.read_attributes, "events": beside.read_events}
        found = reader.get(stem, beside.read_campaigns)(self.folder, self.settings)
        if found is None:
            raise DataError("workshop_table", folder=self.folder, file=f"{stem}.csv")
        return found if stem == "customers" else found.table

    @cached_property
    def attributes(self) -> pd.DataFrame:
        return self._beside("customers")

    @cached_property
    def events(self) -> pd.DataFrame:
        return self._beside("events")

    @cached_property
    def campaigns(self) -> pd.DataFrame:
        return self._beside("campaigns")

    @cached_property
    def backtest(self) -> Backtest:
        from custvalue.pipeline import backtest_orders

        return backtest_orders(self.orders, self.settings)

    @cached_property
    def forecast(self) -> Forecast:
        from custvalue.pipeline import forecast_orders

        return forecast_orders(self.orders, self.customers, self.settings, self.backtest)

    @cached_property
    def known(self) -> pd.DataFrame:
        """The customer table with the forecast and the stage of every customer."""
        from custvalue.churn import stages

        both = self.customers.merge(self.forecast.table, on="customer_id", validate="1:1")
        return both.merge(stages(both, self.settings.churn), on="customer_id", validate="1:1")

    @cached_property
    def truth(self) -> pd.DataFrame:
        """The simulated truth of every customer who is in the customer table."""
        import pandas as pd

        path = Path(self.folder) / "truth.csv"
        if not path.is_file():
            raise DataError("workshop_table", folder=self.folder, file=path.name)
        table = pd.read_csv(path, dtype={"customer_id": "str"})
        return table[table["customer_id"].isin(self.customers["customer_id"])].reset_index(drop=True)


@cache
def _kept(folder: str) -> Classroom:
    return Classroom(folder)


def classroom(data: str | Path = "") -> Classroom:
    """The classroom of a data folder, the same one as long as Python runs; empty: the sample that comes along.

    >>> classroom() is classroom(sample_folder())
    True
    """
    return _kept(str(Path(data or sample_folder()).resolve()))

"""The month to compare with: read from an earlier report, or made anew from the orders where there is none."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from custvalue import matrix, pyramid, segmentation
from custvalue.churn import STAGES
from custvalue.customers import customer_table
from custvalue.ids import places
from custvalue.indices import SCALE_POINTS
from custvalue.pipeline import earlier_forecast, month_before
from custvalue.review import ACTIONS, empty_scorecard, month
from custvalue.yardsticks import Month, read_yardsticks, settings_key

if TYPE_CHECKING:
    import pandas as pd

    from custvalue.config import Settings
    from custvalue.lifetime import Forecast
    from custvalue.transactions import Orders

__all__ = ["earlier_month", "pack_folders", "read_history", "remeasured"]

_CODES = {
    "segment": segmentation.SEGMENTS,
    "rfm_group": segmentation.RFM_GROUPS,
    "quadrant": matrix.QUADRANTS,
    "value_class": matrix.VALUE_CLASSES,
    "tier": pyramid.TIERS,
    "stage": STAGES,
    "action": ACTIONS,
}
_DAYS = ("first_order", "last_order")
_MONTH = re.compile(r"\d{4}-(?:0[1-9]|1[0-2])")
#: A report of which fewer of the customers are known today is another shop's.
_KNOWN_SHARE = 0.5
#: Indices (0 to 100) closer than this are the same: the scales of many customers are kept to so much.
_SAME_INDEX = 100 / SCALE_POINTS


def pack_folders(history: str | Path, as_of: dt.date) -> Iterator[Path]:
    """The folders ``YYYY-MM`` of months before that of ``as_of``, the latest first; none where there is no such folder.

    >>> list(pack_folders("", dt.date(2025, 12, 31)))
    []
    """
    root = Path(history)
    if not str(history) or not root.is_dir():
        return
    found = [path for path in root.iterdir() if _MONTH.fullmatch(path.name) and path.is_dir()]
    yield from sorted((path for path in found if path.name < f"{as_of:%Y-%m}"), key=lambda p: p.name, reverse=True)


def _check_sums(folder: Path) -> None:
    """The files are those that the pack was published with; its manifest is written last."""
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    sums = {entry["file"]: entry["sha256"] for entry in manifest["files"]}
    for name in ("tables/scorecard.parquet", "tables/cuts.csv", "tables/yardsticks.json"):
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != sums[name]:
            raise ValueError(name)


def _read_scorecard(path: Path) -> pd.DataFrame:
    """The scorecard with its codes as categories; its labels are left out."""
    import pandas as pd

    columns = list(empty_scorecard().columns)
    table = pd.read_parquet(path, columns=columns, read_dictionary=list(_CODES))[columns]
    table = table.astype({"customer_id": "str"} | dict.fromkeys(_DAYS, "datetime64[ns]"))
    numbers = [name for name in columns if name not in (*_CODES, *_DAYS, "customer_id")]
    table = table.astype(dict.fromkeys(numbers, "float64"))
    for kind, codes in _CODES.items():
        found = table[kind].astype("category")
        if not set(found.cat.categories) <= set(codes):
            raise ValueError(kind)
        table[kind] = pd.Categorical(found, codes, ordered=True)
    if table["customer_id"].isna().any() or table["customer_id"].duplicated().any() or table["stage"].isna().any():
        raise ValueError("customer_id")
    return table


def _read_pack(folder: Path) -> tuple[Month, str]:
    """A published month and the hash of its settings; any exception means that it can not be used."""
    _check_sums(folder)
    yardsticks, content = read_yardsticks(folder / "tables")
    as_of = dt.date.fromisoformat(content["as_of"])
    if f"{as_of:%Y-%m}" != folder.name:
        raise ValueError(content["as_of"])
    return Month(as_of, _read_scorecard(folder / "tables/scorecard.parquet"), yardsticks, "pack"), content["settings"]


def _passed_over(folder: Path) -> str:
    """Why a folder that can not be read is passed over: made by an older version, or damaged."""
    whole = (folder / "manifest.json").is_file() and not (folder / "tables" / "yardsticks.json").exists()
    return f"{'older' if whole else 'damaged'}:{folder.name}"


def _latest(
    history: str | Path, as_of: dt.date, settings: Settings | None, known: pd.Series | None
) -> tuple[Month | None, tuple[str, ...]]:
    """The latest month that can be used, and notes on those passed over."""
    notes: list[str] = []
    for folder in pack_folders(history, as_of):
        try:
            found, key = _read_pack(folder)
        except Exception:  # whatever is wrong with a file somebody else may have changed, the report goes on without it
            notes.append(_passed_over(folder))
            continue
        if settings is not None and key != settings_key(settings):
            notes.append(f"settings:{folder.name}")
        elif known is not None and (places(found.scorecard["customer_id"], known) >= 0).mean() < _KNOWN_SHARE:
            notes.append(f"foreign:{folder.name}")
        else:
            return found, tuple(notes)
    return None, tuple(notes)


def read_history(history: str | Path, as_of: dt.date, settings: Settings | None = None) -> Month | None:
    """The latest published month before that of ``as_of``: what a rerun of the month would see too.

    ``history`` is the folder of the packs (``YYYY-MM``). A pack of the same month or a later one is never read; one
    that is damaged, not finished, of an older version or (with ``settings``) made with other settings is passed over.
    None where nothing is left.

    >>> read_history("no/such/folder", dt.date(2025, 12, 31)) is None
    True
    """
    return _latest(history, as_of, settings, None)[0]


def _made_anew(
    orders: Orders,
    settings: Settings,
    attributes: pd.DataFrame | None,
    forecast: Forecast | None,
    cuts: pd.DataFrame | None,
) -> Month:
    """The month before, from the same orders, with the choice of model of ``forecast``."""
    day = month_before(orders.as_of)
    customers = customer_table(orders, day)
    if customers.empty:
        return Month(day, empty_scorecard())
    earlier = None if forecast is None else earlier_forecast(orders, customers, day, settings, forecast)
    return month(customers, day, settings, attributes, earlier, cuts)


def earlier_month(
    orders: Orders,
    settings: Settings,
    attributes: pd.DataFrame | None = None,
    forecast: Forecast | None = None,
    cuts: pd.DataFrame | None = None,
    history: str | Path = "",
    known: pd.Series | None = None,
) -> Month:
    """The month to compare with: the latest one published in ``history`` before that of the orders, else made anew.

    Made anew is the month before, from the same orders, with the model that this month's ``forecast`` chose; without
    rows where nobody had bought by then. A published month counts as it was published, though orders may have been
    corrected since. ``known`` are the customers of today: a pack that shares less than half of its own with them is
    another shop's.

    ``notes`` of the result: ``gap:2025-09`` where the month compared with is not the one before; packs passed over:
    ``damaged:2025-10``, ``older:2025-10`` (made by a version that kept no yardsticks), ``settings:2025-10`` (made with
    other settings), ``foreign:2025-10``; ``first`` where there is nothing to compare with.

    >>> import pandas as pd
    >>> import custvalue as cv
    >>> days, amounts = ["2025-01-05", "2025-01-31", "2025-01-20"], [20, 30, 5]
    >>> orders = cv.read(pd.DataFrame({"customer_id": list("aab"), "order_date": days, "amount": amounts}))
    >>> earlier_month(orders, cv.load_settings()).as_of
    datetime.date(2024, 12, 31)
    """
    found, notes = _latest(history, orders.as_of, settings, known)
    if found is None:
        found = _made_anew(orders, settings, attributes, forecast, cuts)
        notes += () if len(found.scorecard) else ("first",)
    elif f"{found.as_of:%Y-%m}" != f"{month_before(orders.as_of):%Y-%m}":
        notes += (f"gap:{found.as_of:%Y-%m}",)
    return dataclasses.replace(found, notes=notes)


def _steady_classes(before: pd.DataFrame, now: pd.DataFrame) -> Any:
    """The value classes of now, kept as they were where both indices stand where they stood."""
    rows = places(now["customer_id"], before["customer_id"])
    earlier = before[["current_value", "potential", "value_class"]].reset_index(drop=True)
    earlier = earlier.reindex(rows).reset_index(drop=True)
    gap = (earlier[["current_value", "potential"]] - now[["current_value", "potential"]].reset_index(drop=True)).abs()
    same = ((gap <= _SAME_INDEX).all(axis=1) & earlier["value_class"].notna()).to_numpy()
    return now["value_class"].where(~same, earlier["value_class"].set_axis(now.index))


def remeasured(
    before: Month,
    now: Month,
    customers: pd.DataFrame,
    settings: Settings,
    attributes: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Today's customers measured with the yardsticks of an earlier month: a move is then the customer's own.

    One row per customer, columns of :func:`custvalue.review.scorecard`. Frozen are the limits of pyramid, matrices and
    RFM scores, the ranks behind the indices of the value matrix, the usual gaps, the price line, and the models of the
    forecast. ``now``, made of the same ``customers``, differs from it by what the yardsticks changed; it is given back
    where the earlier month has none. Indices closer than 0.05 of 100 points count as the same.

    >>> import pandas as pd
    >>> import custvalue as cv
    >>> days, amounts = ["2025-01-05", "2025-01-31", "2025-01-20"], [20, 30, 5]
    >>> orders = cv.read(pd.DataFrame({"customer_id": list("aab"), "order_date": days, "amount": amounts}))
    >>> settings = cv.load_settings()
    >>> customers = cv.customer_table(orders)
    >>> before, now = cv.earlier_month(orders, settings), cv.month(customers, orders.as_of, settings)
    >>> remeasured(before, now, customers, settings)["customer_id"].tolist()
    ['a', 'b']
    """
    if before.yardsticks is None:
        return now.scorecard
    alike = month(customers, now.as_of, settings, attributes, yardsticks=before.yardsticks).scorecard
    return alike.assign(value_class=_steady_classes(before.scorecard, alike))

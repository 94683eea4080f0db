"""What the customers of one month were measured with: cuts, scales and models, kept to measure a later month alike."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from custvalue import matrix, pyramid, segmentation
from custvalue.indices import Scale
from custvalue.lifetime import Learned
from custvalue.tables import save

if TYPE_CHECKING:
    import pandas as pd

    from custvalue.config import Settings

__all__ = [
    "Month",
    "Yardsticks",
    "frozen_scores",
    "limits",
    "read_yardsticks",
    "save_yardsticks",
    "score_limits",
    "settings_key",
    "tier_limits",
]

#: Version of the file; another one is not read.
_FORMAT = 1
_FILE = "yardsticks.json"
#: Sections of the settings that decide in which group a customer falls.
_SECTIONS = ("segmentation", "matrix", "pyramid", "lifetime", "churn", "clean", "margin_rate")
_MEASURES = {"days_since_last": "r_score", "n_orders": "f_score", "sales": "m_score"}


@dataclass(frozen=True)
class Yardsticks:
    """The yardsticks of a month.

    ``cuts``: one row per limit: kind, cut_of, cut (kinds ``tier``, ``quadrant``, ``value_class``, ``segment``,
    ``rfm_group`` and ``stage``); ``scales``: the customers the indices rank among; ``learned``: the models of the
    forecast.
    """

    cuts: pd.DataFrame
    scales: matrix.IndexScales
    learned: Learned


@dataclass(frozen=True)
class Month:
    """A month as it was measured: the last day that counts, the scorecard, and its yardsticks (None of nobody).

    ``source`` is ``pack`` where it was read from a published report, ``orders`` where it was made from the orders;
    ``notes`` say what a reader must know of it.
    """

    as_of: dt.date
    scorecard: pd.DataFrame
    yardsticks: Yardsticks | None = None
    source: str = "orders"
    notes: tuple[str, ...] = ()


def limits(cuts: pd.DataFrame, kind: str) -> dict[str, float]:
    """The cuts of one kind by what they cut.

    >>> import pandas as pd
    >>> limits(pd.DataFrame({"kind": ["segment"], "cut_of": ["lower_line"], "cut": [9.5]}), "segment")
    {'lower_line': 9.5}
    """
    own = cuts[cuts["kind"] == kind]
    return dict(zip(own["cut_of"].astype(str), own["cut"].astype(float), strict=True))


def tier_limits(tiers: pd.DataFrame, cuts: pd.DataFrame | None) -> pd.DataFrame:
    """Where the tiers begin: at the frozen ``cuts`` where there are any, else at the least value in each."""
    if not pyramid.has_tiers(cuts):
        return pyramid.tier_cuts(tiers)
    own = cuts.loc[cuts["kind"] == "tier", ["kind", "cut_of", "cut"]]
    return own.assign(cut=own["cut"].astype(float)).reset_index(drop=True)


def score_limits(customers: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """The value each RFM score begins with, as cuts: ``cut_of`` is measure and score, such as ``sales:5``.

    For days since the last order it is the most days that still have the score.
    """
    found = segmentation.score_cuts(customers, settings.segmentation)
    cut = found["lowest"].where(found["measure"] != "days_since_last", found["highest"]).astype(float)
    names = found["measure"] + ":" + found["score"].astype(str)
    return found.assign(kind="rfm_group", cut_of=names, cut=cut)[["kind", "cut_of", "cut"]]


def frozen_scores(customers: pd.DataFrame, cuts: pd.DataFrame) -> pd.DataFrame:
    """The RFM scores by the limits of another month (:func:`score_limits`): customer_id, r_score, f_score, m_score.

    >>> import pandas as pd
    >>> cuts = pd.DataFrame({"kind": "rfm_group", "cut": [300.0, 30.0, 1.0, 0.0, 50.0],
    ...     "cut_of": ["days_since_last:1", "days_since_last:3", "n_orders:1", "sales:1", "sales:3"]})
    >>> customers = pd.DataFrame({"customer_id": ["a"], "days_since_last": [31], "n_orders": [9], "sales": [50.0]})
    >>> frozen_scores(customers, cuts)
      customer_id  r_score  f_score  m_score
    0           a        1        1        3
    """
    import numpy as np

    result = customers[["customer_id"]].reset_index(drop=True)
    named = [(*name.split(":"), cut) for name, cut in limits(cuts, "rfm_group").items()]
    for measure, column in _MEASURES.items():
        sign = -1 if measure == "days_since_last" else 1
        own = sorted((int(score), sign * cut) for name, score, cut in named if name == measure)
        scores, lowest = (np.array(numbers) for numbers in zip(*own, strict=True))
        place = np.searchsorted(lowest, sign * customers[measure].to_numpy(dtype=float), side="right") - 1
        result[column] = scores[place.clip(min=0)]
    return result


def settings_key(settings: Settings) -> str:
    """A hash of the settings that decide in which group a customer falls; months of other settings are not compared.

    >>> from custvalue.config import load_settings
    >>> settings_key(load_settings()) == settings_key(load_settings(language="zh"))
    True
    """
    content = dataclasses.asdict(settings)
    kept = {name: content[name] for name in _SECTIONS}
    return hashlib.sha256(json.dumps(kept, sort_keys=True, default=str).encode()).hexdigest()


def save_yardsticks(month: Month, folder: str | Path, settings: Settings) -> None:
    """Write ``cuts.csv`` and ``yardsticks.json`` beside the scorecard; an empty ``folder`` or a month of nobody: none.

    ``cuts.csv``, put into the data folder, freezes the limits of matrices and pyramid
    (:func:`custvalue.beside.read_cuts`); the next month's report reads both.
    """
    if not str(folder) or month.yardsticks is None:
        return
    kept = month.yardsticks
    save(kept.cuts, folder, "cuts")
    scales = {part: [list(scale.values), list(scale.ranks)] for part, scale in kept.scales.scales.items()}
    content = {
        "format": _FORMAT,
        "as_of": str(month.as_of),
        "settings": settings_key(settings),
        "usual_gap": kept.scales.gap,
        "scales": scales,
        "forecast": kept.learned.as_dict(),
    }
    written = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    (Path(folder) / _FILE).write_text(written + "\n", "utf-8", newline="\n")


def _scale(kept: Any) -> Scale:
    values, ranks = ([float(number) for number in numbers] for numbers in kept)
    known = all(map(math.isfinite, [*values, *ranks]))
    if len(values) != len(ranks) or not known or values != sorted(set(values)):
        raise ValueError("scale")
    return Scale(tuple(values), tuple(ranks))


def _cuts(path: Path) -> pd.DataFrame:
    import numpy as np
    import pandas as pd

    texts = pd.read_csv(path, dtype=str, encoding="utf-8-sig", keep_default_na=False)
    cuts = texts[["kind", "cut_of", "cut"]].assign(cut=[float(number) for number in texts["cut"]])
    if not np.isfinite(cuts["cut"]).all():
        raise ValueError("cut")
    return cuts


def read_yardsticks(folder: str | Path) -> tuple[Yardsticks, Mapping[str, Any]]:
    """The yardsticks in a folder of tables, and what else ``yardsticks.json`` says (as_of, settings).

    Raises ``OSError``, ``KeyError``, ``TypeError`` or ``ValueError`` for files that are not there or not whole.
    """
    content = json.loads((Path(folder) / _FILE).read_text("utf-8"))
    if content["format"] != _FORMAT:
        raise ValueError(content["format"])
    scales = {str(part): _scale(kept) for part, kept in content["scales"].items()}
    found = matrix.IndexScales(scales, float(content["usual_gap"]))
    return Yardsticks(_cuts(Path(folder) / "cuts.csv"), found, Learned.from_dict(content["forecast"])), content

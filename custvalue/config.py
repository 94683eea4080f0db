"""The settings of a run: one TOML file, one frozen dataclass a section, every key and type checked before any work."""

from __future__ import annotations

import dataclasses
import datetime as dt
import os
import re
import tomllib
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from custvalue.audiences import AudienceRules
from custvalue.churn import ChurnRules
from custvalue.columns import ORDER_COLUMNS
from custvalue.configlines import line_of
from custvalue.crosssell import CrossSellRules
from custvalue.engagement import EngagementRules
from custvalue.errors import UsageError, nearest
from custvalue.healthcheck import HealthRules
from custvalue.labels import LANGUAGES
from custvalue.lifetime import LifetimeRules
from custvalue.matrix import MatrixRules
from custvalue.positioning import PositioningRules
from custvalue.pyramid import PyramidRules
from custvalue.segmentation import SegmentationRules
from custvalue.sources import ReadRules
from custvalue.targeting import TargetingRules
from custvalue.transactions import CleanRules
from custvalue.uplift import CampaignRules

__all__ = [
    "WORKSPACE_RECORD",
    "Inputs",
    "Settings",
    "adjusted",
    "find_config",
    "load_settings",
    "parse_day",
    "read_toml",
]

#: Marks a folder made by ``custvalue init``: its ``custvalue.toml`` is that of all data in it.
WORKSPACE_RECORD = ".custvalue-init.json"


def parse_day(day: str, key: str = "as_of") -> dt.date | None:
    """A day written YYYY-MM-DD; empty is None.

    >>> parse_day("2024-02-29")
    datetime.date(2024, 2, 29)
    """
    try:
        if day and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", day):
            raise ValueError(day)
        return dt.date.fromisoformat(day) if day else None
    except ValueError:
        raise UsageError("bad_day", key=key, got=day) from None


@dataclass(frozen=True)
class Inputs:
    """Further tables beside the orders (section ``[inputs]``); paths count from the config file.

    Where a key is empty, the file of that name in the data folder is used if there is one.
    """

    customers: str = ""
    events: str = ""
    campaigns: str = ""
    labels: str = ""
    cuts: str = ""
    clusters: str = ""
    strategy: str = ""


def _check_timezone(name: str) -> None:
    from zoneinfo import ZoneInfo, available_timezones

    try:
        ZoneInfo(name or "UTC")
    except (ValueError, OSError, LookupError):
        raise UsageError("bad_timezone", got=name, nearest=nearest(name, available_timezones())) from None


@dataclass(frozen=True)
class Settings:
    """Everything a run can be told; see ``custvalue.toml`` of the sample for each key in words.

    ``columns`` is {canonical name: name in the file}. ``attributes`` are further columns of the order file kept per
    customer. ``timezone`` (such as ``Asia/Shanghai``) is where the days are those of. ``margin_rate`` is margin as a
    share of sales, used where the file holds neither margin nor cost. ``hash_ids`` replaces the customers' ids, see
    :mod:`custvalue.pseudonyms`. ``pdf`` adds ``report.pdf`` to the pack, printed by a Chromium browser of the machine.

    >>> Settings(language="zh", margin_rate=0.35).pyramid.cuts
    (0.01, 0.05, 0.2)
    """

    language: str = "en"
    currency: str = ""
    as_of: str = ""
    timezone: str = ""
    margin_rate: float | None = None
    attributes: tuple[str, ...] = ()
    hash_ids: bool = False
    pdf: bool = False
    columns: Mapping[str, str] = field(default_factory=dict)
    inputs: Inputs = field(default_factory=Inputs)
    read: ReadRules = field(default_factory=ReadRules)
    clean: CleanRules = field(default_factory=CleanRules)
    segmentation: SegmentationRules = field(default_factory=SegmentationRules)
    targeting: TargetingRules = field(default_factory=TargetingRules)
    positioning: PositioningRules = field(default_factory=PositioningRules)
    matrix: MatrixRules = field(default_factory=MatrixRules)
    pyramid: PyramidRules = field(default_factory=PyramidRules)
    lifetime: LifetimeRules = field(default_factory=LifetimeRules)
    churn: ChurnRules = field(default_factory=ChurnRules)
    engagement: EngagementRules = field(default_factory=EngagementRules)
    crosssell: CrossSellRules = field(default_factory=CrossSellRules)
    health: HealthRules = field(default_factory=HealthRules)
    audiences: AudienceRules = field(default_factory=AudienceRules)
    campaigns: CampaignRules = field(default_factory=CampaignRules)

    def __post_init__(self) -> None:
        if self.language not in LANGUAGES:
            raise UsageError("bad_choice", key="language", got=self.language, allowed=", ".join(LANGUAGES))
        parse_day(self.as_of)
        _check_timezone(self.timezone)
        if self.margin_rate is not None and not -1 <= self.margin_rate <= 1:
            raise UsageError("bad_margin_rate", got=self.margin_rate)
        known = [column.name for column in ORDER_COLUMNS]
        for name in self.columns:
            if name not in known:
                raise UsageError(
                    "unknown_key",
                    key=f"columns.{name}",
                    nearest=nearest(name, known),
                    allowed=", ".join(known),
                )


def _fits(value: Any, hint: Any) -> bool:
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return any(_fits(value, option) for option in inner)
    if origin is tuple:
        return isinstance(value, (list, tuple)) and all(_fits(item, inner[0]) for item in value)
    if origin is not None and issubclass(origin, Mapping):
        return isinstance(value, Mapping) and all(_fits(v, inner[1]) for v in value.values())
    if hint is Any:
        return True
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, hint) and not (hint is int and isinstance(value, bool))


def _type_words(hint: Any) -> str:
    origin = typing.get_origin(hint)
    if origin is tuple:
        return "list"
    if dataclasses.is_dataclass(hint) or (isinstance(origin, type) and issubclass(origin, Mapping)):
        return "section"
    return str(getattr(hint, "__name__", hint)).replace("typing.", "")


def _sections_of(hint: Any) -> type | None:
    """The dataclass of a table of sections that the user names, such as ``Mapping[str, AudienceList]``."""
    inner = typing.get_args(hint)
    return inner[1] if len(inner) == 2 and dataclasses.is_dataclass(inner[1]) else None


def _section(cls: type, content: Any, name: str) -> Any:
    """One such section; it may also be given as it is made."""
    if isinstance(content, cls):
        return content
    if not isinstance(content, Mapping):
        raise UsageError("bad_type", key=name, got=repr(content), allowed="section")
    return _build(cls, content, f"{name}.")


def _build(cls: type, given: Mapping[str, Any], section: str = "") -> Any:
    hints = typing.get_type_hints(cls)
    values = {}
    for key, value in given.items():
        name = f"{section}{key}"
        if key not in hints:
            raise UsageError("unknown_key", key=name, nearest=section + nearest(key, hints), allowed=", ".join(hints))
        if dataclasses.is_dataclass(hints[key]) and isinstance(value, Mapping):
            values[key] = _build(hints[key], value, f"{name}.")
            continue
        if (made := _sections_of(hints[key])) and isinstance(value, Mapping):
            values[key] = {own: _section(made, content, f"{name}.{own}") for own, content in value.items()}
            continue
        if isinstance(value, dt.date) and hints[key] is str:
            value = value.isoformat()
        if not _fits(value, hints[key]):
            raise UsageError("bad_type", key=name, got=repr(value), allowed=_type_words(hints[key]))
        values[key] = tuple(value) if isinstance(value, list) else value
    try:
        return cls(**values)
    except UsageError as error:
        error.section = section or getattr(error, "section", "")
        raise


def _folders(data: Any) -> Iterator[Path]:
    """Where the settings of a data folder or file may lie: there, then the workspace around it."""
    own = Path(data) if os.path.isdir(data) else Path(data).parent
    yield own
    yield from (folder for folder in own.absolute().parents if os.path.isfile(folder / WORKSPACE_RECORD))


def find_config(data: Any, config: str = "") -> str:
    """The config file that counts: the one named, else that of the data, else none.

    That of the data is ``custvalue.toml`` in the data folder or beside the file, else in the folder made by
    ``custvalue init`` that they lie in.
    """
    if config or not isinstance(data, (str, Path)) or "://" in str(data):
        return str(config)
    found = (folder / "custvalue.toml" for folder in _folders(data))
    return next((str(file) for file in found if os.path.isfile(file)), "")


def load_settings(config: str = "", data: Any = None, **given: Any) -> Settings:
    """Settings from a TOML file (or the defaults), with the values ``given`` laid over it where they are not empty.

    Without a ``config``, a ``custvalue.toml`` in the folder ``data`` or beside the file is used if there is one.

    >>> load_settings(language="zh").language
    'zh'

    Raises
    ------
    UsageError
        The file is not there or no TOML; a key is unknown (the nearest is named), a type or value is wrong.
    """
    file = find_config(data, config)
    content = _read_config(Path(file)) if file else {}
    content |= {key: value for key, value in given.items() if value not in ("", None)}
    try:
        return _build(Settings, content)
    except UsageError as error:
        from_file = file and error.values.get("key") not in {key for key, value in given.items() if value}
        line = line_of(Path(file).read_text("utf-8-sig"), error) if from_file else 0
        raise (error.at(file, line) if line else error) from None


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file of the user; ``UsageError`` where it is not there, a folder, or no TOML."""
    try:
        if path.is_dir():
            raise UsageError("config_is_folder", got=str(path))
        return tomllib.loads(path.read_text("utf-8-sig"))
    except FileNotFoundError:
        raise UsageError("no_such_config", got=str(path)) from None
    except (ValueError, OSError) as error:
        raise UsageError("bad_toml", got=str(path), why=str(error)) from None


def _read_config(path: Path) -> dict[str, Any]:
    content = read_toml(path)
    inputs = content.get("inputs", {})
    if isinstance(inputs, dict):
        content["inputs"] = {k: str(path.parent / v) if isinstance(v, str) and v else v for k, v in inputs.items()}
    return content


def adjusted(rules: Any, **changes: Any) -> Any:
    """Rules with some values changed; a value of None or "" leaves the rule as it is.

    >>> adjusted(PyramidRules(), by="", cuts=[0.1, 0.2, 0.5]).cuts
    (0.1, 0.2, 0.5)
    """
    given = {key: value for key, value in changes.items() if value is not None and value != ""}
    asked = {f.name: getattr(rules, f.name) for f in dataclasses.fields(rules)} | given
    return _build(type(rules), asked)

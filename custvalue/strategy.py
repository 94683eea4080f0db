"""What to do for each code: goal, actions, offer, measure and care, read from ``locale/strategy.toml``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from custvalue.errors import UsageError, nearest
from custvalue.labels import catalogue, label, labels, text

__all__ = ["Strategy", "rule_table", "strategy_for", "strategy_table"]


@dataclass(frozen=True)
class Strategy:
    """What to do with one group of customers, in one language."""

    kind: str
    code: str
    label: str
    goal: str
    actions: str
    offer: str
    measure: str
    care: str


def _texts() -> Mapping[str, Any]:
    """All texts as ``kind -> code -> field -> language``; the one door to them."""
    return catalogue("strategy")


def _of_kind(kind: str) -> Mapping[str, Any]:
    texts = _texts()
    if kind not in texts:
        raise UsageError("unknown_strategy_kind", got=kind, allowed=", ".join(texts), nearest=nearest(str(kind), texts))
    return texts[kind]


def strategy_for(kind: str, code: str, language: str = "en") -> Strategy:
    """What to do with one group.

    ``kind`` is ``tier``, ``quadrant``, ``value_class``, ``segment``, ``stage`` or ``action``; ``code`` one of
    its codes. Raises :class:`~custvalue.errors.UsageError` for a kind or code without texts.
    Sources: C8, C9 (tier), C10 (quadrant), C11 (value class), C18 (segment), C16, C24 to C26, C29 and C30
    (stage, action).

    >>> strategy_for("segment", "first_time").goal
    'Repeat: win the second purchase.'
    >>> strategy_for("quadrant", "high_low", "zh").goal
    '把他们的销量变成利润。'
    """
    codes = _of_kind(kind)
    if code not in codes:
        raise UsageError(
            "unknown_strategy_code",
            kind=kind,
            got=code,
            allowed=", ".join(codes),
            nearest=nearest(str(code), codes),
        )
    words = {field: text[language] for field, text in codes[code].items()}
    return Strategy(kind=kind, code=code, label=label(kind, code, language), **words)


def strategy_table(kind: str, language: str = "en", codes: Iterable[str] | None = None) -> pd.DataFrame:
    """What to do with each group of a kind: one row per code, in the order of the catalogue or of ``codes``.

    Columns: the code in a column named like the kind (ordered categorical), ``goal``, ``actions``, ``offer``,
    ``measure_text`` and ``care``. Raises :class:`~custvalue.errors.UsageError` as :func:`strategy_for`
    does.

    >>> strategy_table("tier", codes=["gold", "lead"])["tier"].tolist()
    ['gold', 'lead']
    """
    known = list(_of_kind(kind))
    rows = [asdict(strategy_for(kind, code, language)) for code in (known if codes is None else codes)]
    fields = ["code", "goal", "actions", "offer", "measure", "care"]
    table = pd.DataFrame(rows, columns=fields).rename(columns={"code": kind, "measure": "measure_text"})
    table[kind] = pd.Categorical(table[kind], categories=known, ordered=True)
    return table


def rule_table(kind: str, rules: Any, language: str = "en") -> pd.DataFrame:
    """How a customer gets into each group of a kind, with the limits in force: one row per code, ``kind`` and ``rule``.

    ``rules`` holds the limits (such as :class:`custvalue.churn.ChurnRules`); the words are ``locale/rules.toml``.

    >>> from custvalue.churn import ChurnRules
    >>> rule_table("stage", ChurnRules(cultivate_repeats=3)).set_index("stage").loc["cultivate", "rule"]
    'Bought on at most 3 days after the first'
    """
    limits = {name: getattr(rules, name) for name in dir(rules) if not name.startswith("_")}
    codes = list(labels(kind, language))
    said = [text(f"rules.{kind}_{code}", language, **limits) for code in codes]
    return pd.DataFrame({kind: pd.Categorical(codes, categories=codes, ordered=True), "rule": said})

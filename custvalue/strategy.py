"""What to do for each code: goal, actions, offer, measure and care, in our words or a firm's own."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from custvalue.errors import UsageError, nearest
from custvalue.labels import LANGUAGES, catalogue, label, labels, text

__all__ = [
    "FIELDS",
    "POSITION_FIELDS",
    "Strategy",
    "code_words",
    "overlaid",
    "rule_table",
    "strategy_for",
    "strategy_table",
]

#: What is said of every code.
FIELDS = ("goal", "actions", "offer", "measure", "care")
#: What the kind ``positioning`` says of every segment: value proposition (C16, C35) and the 4P read as 4C (C32).
POSITION_FIELDS = (
    "proposition",
    "economic",
    "functional",
    "psychological",
    "discipline",
    "product",
    "price",
    "place",
    "promotion",
)

#: The kind whose codes, and words for them, a kind borrows.
_CODES_OF = {"positioning": "segment"}


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


def _texts() -> dict[str, Any]:
    """All our texts as ``kind -> code -> field -> language``; the one door to them."""
    return {**catalogue("strategy"), "positioning": catalogue("positioning")}


def _fields(kind: str) -> tuple[str, ...]:
    return POSITION_FIELDS if kind == "positioning" else FIELDS


def _of_kind(kind: str, texts: Mapping[str, Any] | None) -> Mapping[str, Any]:
    texts = _texts() if texts is None else texts
    if kind not in texts:
        raise UsageError("unknown_strategy_kind", got=kind, allowed=", ".join(texts), nearest=nearest(str(kind), texts))
    return texts[kind]


def _said(kind: str, code: str, language: str, texts: Mapping[str, Any] | None) -> dict[str, str]:
    """The texts of one code in one language."""
    codes = _of_kind(kind, texts)
    if code not in codes:
        close = nearest(str(code), codes)
        raise UsageError("unknown_strategy_code", kind=kind, got=code, allowed=", ".join(codes), nearest=close)
    return {field: codes[code][field][language] for field in _fields(kind)}


def code_words(kind: str, language: str = "en", texts: Mapping[str, Any] | None = None) -> dict[str, str]:
    """The words for the codes of a kind, also of one that a firm's own file declares (``texts``).

    >>> code_words("positioning")["first_time"]
    'First-time buyers'
    """
    words = labels(_CODES_OF.get(kind, kind), language) if _CODES_OF.get(kind, kind) in catalogue("labels") else {}
    return {
        code: said["label"][language] if "label" in said else words.get(code, code)
        for code, said in _of_kind(kind, texts).items()
    }


def strategy_for(kind: str, code: str, language: str = "en", texts: Mapping[str, Any] | None = None) -> Strategy:
    """What to do with one group.

    ``kind`` is ``tier``, ``quadrant``, ``value_class``, ``segment``, ``stage``, ``action`` or another kind of the
    catalogue; ``code`` one of its codes; ``texts`` the catalogue with a firm's own file laid over it
    (:func:`custvalue.beside.read_strategy`), by default ours. Raises :class:`~custvalue.errors.UsageError` for a kind
    or code without texts.
    Sources: C8, C9 (tier), C10 (quadrant), C11 (value class), C18 (segment), C12 (rung, target), C26 (task), C16, C24
    to C26, C29 and C30 (stage, action).

    >>> strategy_for("segment", "first_time").goal
    'Repeat: win the second purchase.'
    >>> strategy_for("quadrant", "high_low", "zh").goal
    '把他们的销量变成利润。'
    """
    words = _said(kind, code, language, texts)
    if tuple(words) != FIELDS:
        raise UsageError("bad_choice", key="kind", got=kind, allowed=", ".join(catalogue("strategy")))
    word = code_words(kind, language, texts)[code] if texts is not None else label(kind, code, language)
    return Strategy(kind=kind, code=code, label=word, **words)


def strategy_table(
    kind: str, language: str = "en", codes: Iterable[str] | None = None, texts: Mapping[str, Any] | None = None
) -> pd.DataFrame:
    """What to do with each group of a kind: one row per code, in the order of the catalogue or of ``codes``.

    Columns: the code in a column named like the kind (ordered categorical), ``goal``, ``actions``, ``offer``,
    ``measure_text`` and ``care``; for the kind ``positioning`` ``segment``, ``position_proposition`` and so on, see
    ``POSITION_FIELDS``. ``texts`` as in :func:`strategy_for`. Raises :class:`~custvalue.errors.UsageError` as it does.

    >>> strategy_table("tier", codes=["gold", "lead"])["tier"].tolist()
    ['gold', 'lead']
    """
    known, name = list(_of_kind(kind, texts)), _CODES_OF.get(kind, kind)
    rows = [{name: code, **_said(kind, code, language, texts)} for code in (known if codes is None else codes)]
    renamed = {"measure": "measure_text", **{field: f"position_{field}" for field in POSITION_FIELDS}}
    table = pd.DataFrame(rows, columns=[name, *_fields(kind)]).rename(columns=renamed)
    table[name] = pd.Categorical(table[name], categories=known, ordered=True)
    return table


def rule_table(kind: str, rules: Any, language: str = "en", texts: Mapping[str, Any] | None = None) -> pd.DataFrame:
    """How a customer gets into each group of a kind, with the limits in force: one row per code, ``kind`` and ``rule``.

    ``rules`` holds the limits (such as :class:`custvalue.churn.ChurnRules`); the words are ``locale/rules.toml``, or
    the field ``rule`` of a firm's own file (``texts``), as it stands there.

    >>> from custvalue.churn import ChurnRules
    >>> rule_table("stage", ChurnRules()).iloc[0, 1]
    'Bought on one day so far'
    """
    limits = {name: getattr(rules, name) for name in dir(rules) if not name.startswith("_")}
    own = (texts or {}).get(kind, {})
    codes = list(labels(kind, language))
    said = [
        own.get(code, {}).get("rule", {}).get(language) or text(f"rules.{kind}_{code}", language, **limits)
        for code in codes
    ]
    return pd.DataFrame({kind: pd.Categorical(codes, categories=codes, ordered=True), "rule": said})


# ---- A firm's own file


def _refuse(file: str, place: str, got: str, allowed: Collection[str]) -> None:
    """Refuse a name that is not among those allowed, with the nearest of them."""
    if got not in allowed:
        close = nearest(got, allowed) if allowed else "-"
        raise UsageError(
            "strategy_unknown", file=file, place=place, got=got, nearest=close, allowed=", ".join(allowed) or "-"
        )


def _checked(file: str, place: str, said: Any) -> dict[str, str]:
    """One text by language, as the file gives it."""
    if not isinstance(said, Mapping) or not said:
        raise UsageError("strategy_no_text", file=file, place=place, got=repr(said))
    for language, words in said.items():
        _refuse(file, place, language, LANGUAGES)
        if not isinstance(words, str) or not words.strip():
            raise UsageError("strategy_no_text", file=file, place=f"{place}.{language}", got=repr(words))
    return dict(said)


def _declared(file: str, content: Mapping[str, Any]) -> dict[str, list[str]]:
    """The firm's own kinds of groups, as ``[codes]`` lists them: name of the column -> its codes."""
    kinds = content.get("codes", {})
    if not isinstance(kinds, Mapping):
        raise UsageError("strategy_codes", file=file, got=repr(kinds))
    for kind, codes in kinds.items():
        texts = isinstance(codes, list) and codes and all(isinstance(code, str) and code for code in codes)
        if not texts or kind in {*_texts(), "codes"}:
            raise UsageError("strategy_codes", file=file, got=f"{kind} = {codes!r}")
    return {kind: list(dict.fromkeys(codes)) for kind, codes in kinds.items()}


def _own_code(file: str, kind: str, code: str, given: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """The texts of a code of the firm's own: every field must be there, in one language at least."""
    missing = [field for field in FIELDS if field not in given]
    if missing:
        raise UsageError("strategy_field_missing", file=file, place=f"{kind}.{code}", missing=", ".join(missing))
    said = {"label": dict.fromkeys(LANGUAGES, code), **{field: {} for field in FIELDS}}
    for field, words in given.items():
        first = next(iter(words.values()))
        said[field] = {language: words.get(language, first) for language in LANGUAGES}
    return said


def _fields_of(file: str, place: str, given: Any, allowed: Collection[str]) -> dict[str, dict[str, str]]:
    if not isinstance(given, Mapping):
        raise UsageError("strategy_no_text", file=file, place=place, got=repr(given))
    for field in given:
        _refuse(file, place, field, allowed)
    return {field: _checked(file, f"{place}.{field}", words) for field, words in given.items()}


def _own_kind(file: str, kind: str, codes: list[str], groups: Mapping[str, Any]) -> dict[str, Any]:
    """The texts of a kind of the firm's own; every declared code must have its texts."""
    missing = [code for code in codes if code not in groups]
    if missing:
        raise UsageError("strategy_code_missing", file=file, kind=kind, missing=", ".join(missing))
    for code in groups:
        _refuse(file, kind, code, codes)
    allowed = (*FIELDS, "label")
    given = {code: _fields_of(file, f"{kind}.{code}", groups[code], allowed) for code in codes}
    return {code: _own_code(file, kind, code, words) for code, words in given.items()}


def _our_kind(file: str, kind: str, ours: Mapping[str, Any], groups: Mapping[str, Any]) -> dict[str, Any]:
    """Our texts of a kind with the firm's in their places."""
    laid = dict(ours)
    for code, given in groups.items():
        _refuse(file, kind, code, list(ours))
        words = _fields_of(file, f"{kind}.{code}", given, (*_fields(kind), "rule"))
        laid[code] = laid[code] | {field: laid[code].get(field, {}) | said for field, said in words.items()}
    return laid


def overlaid(content: Mapping[str, Any], file: str = "strategy.toml") -> dict[str, Any]:
    """Our catalogue with a firm's own texts laid over it: any subset of ``kind.code.field.language``.

    ``content`` is a TOML file as read. Each of its texts takes the place of ours; ``rule`` says how a customer gets
    into a group. ``[codes]`` declares groups of the firm's own, ``{column: [codes]}``: each of these codes needs every
    field in at least one language (which then stands for the other one too) and may have a ``label``. The result is
    what :func:`strategy_for` and its like take as ``texts``; nothing else is changed.

    Raises ``UsageError`` for an unknown kind, code, field or language (with the nearest), an empty text, and a declared
    code without texts.

    >>> ours = overlaid({"tier": {"gold": {"goal": {"en": "Visit them."}}}})
    >>> strategy_for("tier", "gold", texts=ours).goal, strategy_for("tier", "gold").goal[:8]
    ('Visit them.', 'Win the ')
    """
    declared, texts = _declared(file, content), _texts()
    for kind, groups in content.items():
        _refuse(file, "", kind, [*texts, *declared, "codes"])
        if not isinstance(groups, Mapping):
            raise UsageError("strategy_no_text", file=file, place=kind, got=repr(groups))
    ours = {kind: _our_kind(file, kind, said, content.get(kind, {})) for kind, said in texts.items()}
    own = {kind: _own_kind(file, kind, codes, content.get(kind, {})) for kind, codes in declared.items()}
    return ours | own

"""Audiences: named lists of customers to act on, each with reason, action and a random part that is left out."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from custvalue.conditions import matching, read_condition, read_order, sorted_by
from custvalue.contacts import Contacts, flags
from custvalue.errors import UsageError
from custvalue.labels import LANGUAGES
from custvalue.listwords import title_of, what_to_do, why
from custvalue.predicates import check_rule
from custvalue.pyramid import PyramidRules, just_under, with_profit
from custvalue.referrals import referral_value

__all__ = [
    "STANDARD_AUDIENCES",
    "AudienceList",
    "AudienceRules",
    "Audiences",
    "audience_lists",
    "audience_table",
    "held_out",
    "standard_lists",
]

#: Figures shown of each customer on a list, where they are known.
_FIGURES = ("tier", "segment", "stage", "last_order", "days_since_last", "sales", "clv_12m", "value_at_risk")
_LIST_COLUMNS = (
    "audience",
    "list_place",
    "customer_id",
    "why",
    "what_to_do",
    "channel",
    "held_out",
    "n_lists",
    "listed_on",
)
_MONEY = ("clv_12m", "value_at_risk")
_ACTIVE = "stage in ('identify', 'cultivate', 'grow', 'stable')"
_HERE = "stage != 'drop'"
_BEST = "tier in ('platinum', 'gold')"
_GOOD = "tier in ('platinum', 'gold', 'iron')"


@dataclass(frozen=True)
class AudienceList:
    """One list as declared in the settings: who is on it, in which order, and what is to be done with them.

    ``where`` is a condition (:func:`custvalue.conditions.read_condition`), ``by`` an order such as
    ``value_at_risk desc``. ``limit`` (none: that of :class:`AudienceRules`; 0: all) is the longest the list may be,
    ``hold_out`` (none: that of the rules) the share left out at random. ``action`` is a code of the next actions or
    words of your own, ``title`` the name in each language, ``channel`` how the list is addressed.
    """

    where: str = ""
    by: str = ""
    title: Mapping[str, str] = field(default_factory=dict)
    limit: int | None = None
    hold_out: float | None = None
    action: str = ""
    channel: str = ""

    def __post_init__(self) -> None:
        check_rule("audiences.where", self.where, bool(self.where.strip()), "tier = 'gold' and sales > 500, ...")
        read_condition(self.where)
        read_order(self.by)
        check_rule("audiences.title", ", ".join(self.title), set(self.title) <= set(LANGUAGES), ", ".join(LANGUAGES))
        check_rule("audiences.limit", self.limit, self.limit is None or self.limit >= 0, ">= 0")
        share = self.hold_out or 0.0
        check_rule("audiences.hold_out", self.hold_out, 0 <= share < 1, "0 <= share < 1")


@dataclass(frozen=True)
class AudienceRules:
    """What counts for every list.

    ``hold_out`` is the share of each list left out at random, so that next month can tell whether the action worked;
    ``seed`` makes the draw repeatable. ``limit`` is the longest a list may be (0: no limit). ``consent`` is the column
    of the customers file that says who may be written to, ``suggestion`` the events that count as product suggestions.
    ``standard``: whether the standard lists are made beside ``lists``, the user's own.

    >>> AudienceRules(lists={"near": AudienceList("days_since_last <= 30")}).hold_out
    0.1
    """

    hold_out: float = 0.10
    seed: int = 1
    limit: int = 1000
    consent: str = "consent"
    suggestion: str = "suggestion"
    standard: bool = True
    lists: Mapping[str, AudienceList] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_rule("audiences.hold_out", self.hold_out, 0 <= self.hold_out < 1, "0 <= share < 1")
        check_rule("audiences.limit", self.limit, self.limit >= 0, ">= 0")
        seen: set[str] = set()
        for name in self.lists:
            if not re.fullmatch(r"[\w-]{1,40}", name) or name.casefold() in seen:
                raise UsageError("bad_audience_name", got=name[:80])
            seen.add(name.casefold())


@dataclass(frozen=True)
class Audiences:
    """The lists of a month.

    lists
        One row per list and customer: audience (its name), list_place (1 is first), customer_id, why (the figures that
        qualify him, in words), what_to_do (in words), channel, held_out (left out at random, not to be contacted),
        n_lists (on how many lists he is), listed_on (the as-of date), then the main figures of the scorecard.
    summary
        One row per list, also an empty one: audience, n_matched (who fit the condition), n_no_consent,
        n_consent_unknown, n_beyond_limit, n_held_out, n_to_contact; clv_12m and value_at_risk of those on the list.
    titles
        The title of each list in the language.
    notes
        What the reader must know, as codes: ``no_consent_column``, ``consent_not_understood``, ``list_impossible``.
    n_without_consent
        Customers who fit a list but did not consent, or are not known to have.
    """

    lists: pd.DataFrame
    summary: pd.DataFrame
    titles: Mapping[str, str]
    notes: tuple[str, ...] = ()
    n_without_consent: int = 0

    @property
    def totals(self) -> dict[str, int]:
        """Customers on any list, each counted once: ``contacts`` (to contact for one list at least), ``held`` (held out
        of one at least), ``no_consent`` (fit a list, but did not consent or are not known to have)."""
        out = self.lists["held_out"].astype(bool)
        ids = self.lists["customer_id"]
        return {"contacts": ids[~out].nunique(), "held": ids[out].nunique(), "no_consent": self.n_without_consent}


def _leaders(known: set[str]) -> str:
    """Opinion leaders by what is known of them (C21)."""
    clues = {"n_suggestions": "n_suggestions >= 2", "n_brought": "n_brought >= 1"}
    return " and ".join([_GOOD, _HERE, *(clause for column, clause in clues.items() if column in known)])


def standard_lists(columns: Iterable[str]) -> dict[str, AudienceList]:
    """The lists made where the settings declare none, as far as a table with these columns allows.

    Opinion leaders (C21), key accounts (C13), win-back by value at risk, the next best offer, customers just under the
    next tier; acquire, build and care (C26): win the second order of new customers, high-value customers who have not
    bought lately, and the best who are in touch. Key accounts, opinion leaders and care are served in person, nobody
    is left out.

    >>> [name for name in standard_lists(["tier", "stage", "segment"])]
    ['win_back', 'key_accounts', 'next_offer', 'acquire', 'build', 'care']
    """
    known = set(columns)
    offer = "next_category is not missing" if "next_category" in known else "segment = 'one_category'"
    in_person = {"hold_out": 0.0}
    new = "stage = 'identify' and days_since_last <= 90"
    lists = {
        "win_back": AudienceList("stage = 'decline'", "value_at_risk desc", action="win_back"),
        "key_accounts": AudienceList(f"{_BEST} and {_HERE}", "clv_12m desc", limit=100, **in_person),
        "opinion_leaders": AudienceList(_leaders(known), "sales desc", limit=100, **in_person),
        "just_under": AudienceList(f"next_tier is not missing and {_HERE}", "to_cut", limit=200),
        "next_offer": AudienceList(f"{offer} and {_ACTIVE}", "clv_12m desc", action="cross_sell"),
        "acquire": AudienceList(new, "days_since_last", action="second_order"),
        "build": AudienceList(f"{_GOOD} and {_HERE} and overdue >= 1", "value_at_risk desc"),
        "care": AudienceList(
            f"{_BEST} and {_ACTIVE} and overdue < 1", "sales desc", action="keep_personally", **in_person
        ),
    }
    impossible = {
        "opinion_leaders": not {"n_suggestions", "n_brought"} & known,
        "just_under": "next_tier" not in known,
    }
    return {name: made for name, made in lists.items() if not impossible.get(name)}


#: Names of the standard lists; their titles are labels, their actions stand in ``locale/audiences.toml``.
STANDARD_AUDIENCES = tuple(standard_lists(["n_suggestions", "n_brought", "next_tier"]))


def held_out(customer_ids: Iterable[str], audience: str, share: float, seed: int = 1) -> np.ndarray:
    """Who is left out of a list: one truth value a customer, the same in every month and in any order.

    A keyed hash (BLAKE2b) of seed, list and customer gives each a fixed number between 0 and 1; who is below ``share``
    is held out. So a customer stays in or out month after month, a larger share only adds customers, and different
    lists draw independently.

    >>> held_out(["a", "b", "c", "d"], "win_back", 0.5).tolist()
    [True, False, False, False]
    """
    start = hashlib.blake2b(f"{audience}\0".encode(), key=str(seed).encode(), digest_size=8)
    limit = int(share * 2**64)
    drawn = []
    for customer in customer_ids:
        own = start.copy()
        own.update(str(customer).encode("utf-8", "surrogatepass"))
        drawn.append(int.from_bytes(own.digest(), "big") < limit)
    return np.array(drawn, dtype=bool)


def _joined(table: pd.DataFrame, more: pd.DataFrame | None) -> pd.DataFrame:
    """The table with the columns of another that it does not have yet, by ``customer_id``."""
    if more is None:
        return table
    new = [column for column in more.columns if column not in table.columns]
    return table.merge(more[["customer_id", *new]], on="customer_id", how="left", validate="1:1") if new else table


def _suggested(events: pd.DataFrame, word: str) -> pd.DataFrame:
    made = events.loc[events["event"] == word, "customer_id"].value_counts()
    return pd.DataFrame({"customer_id": made.index, "n_suggestions": made.to_numpy()})


def _with_next_tier(table: pd.DataFrame, rules: PyramidRules, attributes: pd.DataFrame | None) -> pd.DataFrame:
    if rules.by not in table and {"margin_12m", "n_orders_12m"} <= set(table):
        table = _joined(table, with_profit(table, rules, attributes))
    if rules.by not in table or "tier" not in table:
        return table
    ranked = table[["customer_id", "tier"]].assign(value=table[rules.by].astype(float))
    near = just_under(ranked, rules.just_under)
    return _joined(table, near[["customer_id", "next_tier", "to_cut"]])


def audience_table(
    scorecard: pd.DataFrame,
    customers: pd.DataFrame | None = None,
    attributes: pd.DataFrame | None = None,
    events: Contacts | pd.DataFrame | None = None,
    offers: pd.DataFrame | None = None,
    rules: PyramidRules | None = None,
    suggestion: str = "suggestion",
) -> pd.DataFrame:
    """Everything known of each customer in one row, to ask conditions of: a scorecard and what else there is.

    One row per customer of ``scorecard``, its columns first; then those of the customer table, of the customers file
    (``attributes``) and of the next best ``offers`` (customer_id, next_category ...) that it does not have yet. Added
    where they can be known: ``n_suggestions`` (product suggestions among the ``events``: those read, or their table),
    ``n_brought`` (customers brought, from ``referrer``), ``next_tier`` and ``to_cut`` (money missing to it) of who
    stands just under it by the pyramid ``rules``.

    >>> scorecard = pd.DataFrame({"customer_id": ["a", "b"], "sales": [5.0, 3.0]})
    >>> attributes = pd.DataFrame({"customer_id": ["b"], "referrer": ["a"]})
    >>> audience_table(scorecard, attributes=attributes)["n_brought"].tolist()
    [1, 0]
    """
    table, events = scorecard.reset_index(drop=True), getattr(events, "table", events)
    if attributes is not None and "referrer" in attributes:
        table = _joined(table, referral_value(table, attributes).table[["customer_id", "n_brought"]])
    if events is not None and (events["event"] == suggestion).any():
        table = _joined(table, _suggested(events, suggestion))
        table = table.assign(n_suggestions=table["n_suggestions"].fillna(0).astype("int64"))
    for more in (customers, offers, attributes):
        table = _joined(table, more)
    return _with_next_tier(table, rules or PyramidRules(), attributes)


def _consents(table: pd.DataFrame, rules: AudienceRules) -> pd.Series | None:
    """Who agreed to be written to: true, false or missing; None where the table does not say."""
    return flags(table[rules.consent]) if rules.consent and rules.consent in table else None


def _selected(
    table: pd.DataFrame, name: str, asked: AudienceList, rules: AudienceRules
) -> tuple[pd.DataFrame, dict[str, Any], set[str]]:
    """Who is on a list, in its order, with held_out; the counts of how it came about; who is not on it for consent."""
    found = table[matching(table, asked.where)]
    consent = _consents(found, rules)
    may = found if consent is None else found[consent.fillna(False).to_numpy(dtype=bool)]
    limit = rules.limit if asked.limit is None else asked.limit
    ordered = sorted_by(may, asked.by)
    listed = ordered.head(limit) if limit else ordered
    share = rules.hold_out if asked.hold_out is None else asked.hold_out
    left_out = held_out(listed["customer_id"], name, share, rules.seed)
    counts = {
        "audience": name,
        "n_matched": len(found),
        "n_no_consent": 0 if consent is None else int((consent == False).sum()),  # noqa: E712
        "n_consent_unknown": 0 if consent is None else int(consent.isna().sum()),
        "n_beyond_limit": len(ordered) - len(listed),
        "n_held_out": int(left_out.sum()),
        "n_to_contact": int((~left_out).sum()),
        **{column: listed[column].sum() for column in _MONEY if column in listed},
    }
    placed = listed.assign(held_out=left_out, list_place=np.arange(1, len(listed) + 1))
    return placed, counts, set(found["customer_id"].drop(may.index))


def _rows(
    name: str, asked: AudienceList, listed: pd.DataFrame, language: str, currency: str, words: Any, texts: Any
) -> pd.DataFrame:
    """The rows of one list, in words."""
    columns = dict.fromkeys([*read_condition(asked.where).columns, *(column for column, _ in read_order(asked.by))])
    shown = [column for column in columns if column != "customer_id"]
    made = listed.assign(
        audience=name,
        why=why(listed, shown, language, currency, words),
        what_to_do=what_to_do(name, asked.action, language, texts),
        channel=asked.channel,
    )
    first = [column for column in _LIST_COLUMNS if column in made]
    return made[[*first, *(column for column in _FIGURES if column in made)]]


def _notes(table: pd.DataFrame, rules: AudienceRules, asked: Mapping[str, AudienceList]) -> tuple[str, ...]:
    consent = _consents(table, rules)
    found = []
    if consent is None:
        found.append("no_consent_column")
    elif len(consent) and consent.isna().all():
        found.append("consent_not_understood")
    lacking = [name for name in STANDARD_AUDIENCES if rules.standard and name not in asked]
    return tuple(found + ([f"list_impossible:{';'.join(lacking)}"] if lacking else []))


def audience_lists(
    table: pd.DataFrame,
    as_of: dt.date,
    rules: AudienceRules | None = None,
    *,
    language: str = "en",
    currency: str = "",
    words: Mapping[str, Mapping[str, str]] | None = None,
    texts: Mapping[str, Any] | None = None,
) -> Audiences:
    """The lists of customers to act on, of a table with one row per customer (:func:`audience_table`).

    For each list: who fits its condition, of these who consented (where the table says so: unknown is not consent), in
    its order, as many as its limit allows; of these a random, remembered share is held out (:func:`held_out`).
    ``words`` are those of the data's own codes, {column: {code: word}}; ``texts`` the strategy catalogue with a firm's
    own file laid over it (by default ours).

    Raises ``UsageError`` where a condition or an order asks for what the table does not have.

    >>> table = pd.DataFrame({"customer_id": ["a", "b"], "sales": [500.0, 20.0], "consent": [1, 0]})
    >>> rules = AudienceRules(standard=False, lists={"any": AudienceList("sales > 10", title={"en": "Anybody"})})
    >>> found = audience_lists(table, dt.date(2024, 1, 31), rules)
    >>> found.lists[["customer_id", "why"]].values.tolist(), found.summary["n_no_consent"].tolist()
    ([['a', 'Sales: 500']], [1])
    """
    rules = rules or AudienceRules()
    said = {"next_category": (words or {}).get("category", {}), **(words or {})}
    asked = {**(standard_lists(table.columns) if rules.standard else {}), **rules.lists}
    parts, counts, excluded = [], [], set()
    for name, one in asked.items():
        listed, counted, without = _selected(table, name, one, rules)
        excluded |= without
        parts.append(_rows(name, one, listed, language, currency, said, texts))
        counts.append(counted)
    lists = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(_LIST_COLUMNS))
    times = lists["customer_id"].map(lists["customer_id"].value_counts()).astype("int64")
    lists.insert(_LIST_COLUMNS.index("n_lists"), "n_lists", times)
    lists.insert(_LIST_COLUMNS.index("listed_on"), "listed_on", pd.Timestamp(as_of).as_unit("s"))
    titles = {name: title_of(name, one.title, language) for name, one in asked.items()}
    return Audiences(lists, pd.DataFrame(counts), titles, _notes(table, rules, asked), len(excluded))

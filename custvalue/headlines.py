"""The five things to know of a month: what moves most money, what to do about it, and the page that tells more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from custvalue.labels import label, text
from custvalue.movement import bridge_total, customer_flows, in_both
from custvalue.review import actions_summary, first_step
from custvalue.shown import Sentence
from custvalue.strategy import strategy_for

if TYPE_CHECKING:
    import pandas as pd

    from custvalue.yardsticks import Month

__all__ = ["FiveThings", "Thing", "five_things", "things_to_know"]

#: The page each thing is told on.
_PAGES = {
    "value_rises": "06_monthly_review.html",
    "value_falls": "06_monthly_review.html",
    "at_risk": "05_churn_stages.html",
    "lost": "05_churn_stages.html",
    "returned": "05_churn_stages.html",
    "new": "01_segmentation.html",
    "tier_down": "03_customer_pyramid.html",
    "tier_up": "03_customer_pyramid.html",
    "thin_margin": "02_value_matrix.html",
    "act": "06_monthly_review.html",
}
#: Tiers whose loss is told.
_UPPER = ("platinum", "gold")
#: Below this quantile of the margin rates a margin is thin.
_THIN = 0.25


@dataclass(frozen=True)
class Thing:
    """One thing to know: its code, the money at stake, and the numbers of its sentence."""

    code: str
    money: float
    values: dict[str, Any]


@dataclass(frozen=True)
class FiveThings:
    """The month in one sentence, then sentences in the order of the money at stake, each linked to its page."""

    sentences: tuple[Sentence, ...]

    def _repr_html_(self) -> str:
        return "".join(sentence._repr_html_() for sentence in self.sentences)

    def __repr__(self) -> str:
        return "\n".join(f"{place}. {sentence!r}" for place, sentence in enumerate(self.sentences, start=1))


@dataclass(frozen=True)
class _Facts:
    """What the things are found in."""

    before: Month
    alike: pd.DataFrame
    now: pd.DataFrame
    bridge: pd.DataFrame
    language: str
    flows: pd.DataFrame | None

    @property
    def compared(self) -> bool:
        return len(self.before.scorecard) > 0


def _value(facts: _Facts) -> Thing | None:
    """The change of the expected value, and the step of the bridge that made most of it."""
    first, last = bridge_total(facts.bridge)
    if not facts.compared or not first > 0:
        return None
    steps = facts.bridge.set_index("bridge_part")["clv_12m"].drop(["before", "now"])
    rises = last >= first
    step = steps.idxmax() if rises else steps.idxmin()
    since = f"{facts.before.as_of:%Y-%m}"
    said = {"step": label("bridge_cause", step, facts.language), "advice": label("bridge_advice", step, facts.language)}
    values = {"value": last, "change": last / first - 1, "since": since, "part": abs(steps[step]), **said}
    return Thing("value_rises" if rises else "value_falls", abs(last - first), values)


def _at_risk(facts: _Facts) -> Thing | None:
    """Customers in decline, and how few of them hold half of what is at risk."""
    risk = facts.now.loc[facts.now["stage"] == "decline", "value_at_risk"].dropna().sort_values(ascending=False)
    total = float(risk.sum())
    if not total > 0:
        return None
    few = int((risk.cumsum() < total / 2).sum()) + 1
    return Thing("at_risk", total, {"n": len(risk), "risk": total, "few": few, "held": float(risk.head(few).sum())})


def _flow(code: str, money: str) -> Callable[[_Facts], Thing | None]:
    """Customers who came or went; the money at stake is their expected value then or now."""

    def found(facts: _Facts) -> Thing | None:
        if facts.flows is None:
            return None
        row = facts.flows.loc[code]
        if not row["n_customers"]:
            return None
        values = {"n": int(row["n_customers"]), "value": float(row[money]), "sales": float(row["sales_12m"])}
        return Thing(code, values["value"], values)

    return found


def _tier_moves(up: bool) -> Callable[[_Facts], Thing | None]:
    """Customers who climbed, or who fell out of the best tiers, and the change of their sales of 12 months."""

    def found(facts: _Facts) -> Thing | None:
        both = in_both(facts.before.scorecard, facts.alike, ["tier", "sales_12m"])
        if both.empty:
            return None
        step = both["tier_from"].cat.codes.astype(int) - both["tier_to"].cat.codes.astype(int)
        moved = both[step > 0] if up else both[(step < 0) & both["tier_from"].isin(_UPPER)]
        change = float((moved["sales_12m_to"] - moved["sales_12m_from"]).sum())
        sales = float(moved["sales_12m_to" if up else "sales_12m_from"].sum())
        if moved.empty or not (change > 0 if up else change < 0):
            return None
        values = {"n": len(moved), "change": abs(change), "sales": sales}
        return Thing("tier_up" if up else "tier_down", abs(change), values)

    return found


def _thin_margin(facts: _Facts) -> Thing | None:
    """Customers of high sales and a margin rate in the lowest quarter: the margin they would add at its limit."""
    bought = facts.now[(facts.now["sales_12m"] > 0) & facts.now["margin_12m"].notna()]
    volume = bought[bought["quadrant"] == "high_low"]
    rate = float((bought["margin_12m"] / bought["sales_12m"]).quantile(_THIN))
    if volume.empty or not rate > 0:
        return None
    short = (rate * volume["sales_12m"] - volume["margin_12m"]).clip(lower=0)
    return Thing("thin_margin", float(short.sum()), {"n": int((short > 0).sum()), "rate": rate, "short": short.sum()})


def _act(facts: _Facts) -> Thing | None:
    """The action with most value at risk per customer, among those that do something."""
    steps = actions_summary(facts.now)
    if steps.empty:
        return None
    first = first_step(steps)
    risk = float(first["value_at_risk"])
    if not risk > 0:
        return None
    named = label("action", first["action"], facts.language)
    goal = strategy_for("action", first["action"], facts.language).goal
    return Thing("act", risk, {"n": int(first["n_customers"]), "risk": risk, "action": named, "goal": goal})


_FINDERS: tuple[Callable[[_Facts], Thing | None], ...] = (
    _value,
    _act,
    _at_risk,
    _flow("returned", "clv_to"),
    _flow("new", "clv_to"),
    _flow("lost", "clv_from"),
    _tier_moves(up=True),
    _tier_moves(up=False),
    _thin_margin,
)


def things_to_know(
    before: Month, alike: pd.DataFrame, now: Month, bridge: pd.DataFrame, language: str = "en", n: int = 4
) -> list[Thing]:
    """The ``n`` things of the month with most money at stake; fewer where there are not so many.

    Asked are: the change of the expected value (06), the most urgent action (06), the value at risk in decline (05),
    customers returned and lost (05), new ones (01), moves up the pyramid and out of its top (03), and margin missing on
    large sales (02). The money at stake is expected value of 12 months, sales of 12 months or margin of 12 months, as
    the sentence says; what the margin is short of counts against the rate that three quarters of the buyers of the last
    12 months reach.
    """
    some = len(before.scorecard) > 0
    flows = customer_flows(before.scorecard, alike, before.as_of).set_index("flow") if some else None
    facts = _Facts(before, alike, now.scorecard, bridge, language, flows)
    found = [thing for thing in (finder(facts) for finder in _FINDERS) if thing is not None and thing.money > 0]
    return sorted(found, key=lambda thing: (-round(thing.money, 4), thing.code))[:n]


def _month_sentence(totals: pd.DataFrame, now: Month, language: str, currency: str) -> Sentence:
    """Sales of the month, against the month before and the same month a year before where there were such."""
    table = totals.set_index("total")
    sales = table.loc["sales"]
    known = "_year" if sales["year_before"] > 0 else ""
    said = text(
        f"findings.month_sales{known}" if sales["month_before"] > 0 else "findings.month_sales_first",
        language,
        month=f"{now.as_of:%Y-%m}",
        sales=sales["this_month"],
        change=sales["change"],
        year=sales["change_year"],
        buyers=table.loc["buyers", "this_month"],
        new=table.loc["new_customers", "this_month"],
        currency=currency,
    )
    return Sentence(said, _PAGES["act"])


def five_things(
    totals: pd.DataFrame,
    before: Month,
    alike: pd.DataFrame,
    now: Month,
    bridge: pd.DataFrame,
    language: str = "en",
    *,
    currency: str = "",
    n: int = 5,
) -> FiveThings:
    """The five things to know of the month: its sales, then what has most money at stake (:func:`things_to_know`).

    Each is a sentence with its numbers and what to do, linked to its page. ``totals`` is
    :func:`custvalue.review.totals`, ``alike`` this month on the yardsticks of the month before
    (:func:`custvalue.history.remeasured`), ``bridge`` that of :func:`custvalue.movement.value_bridge`. Where nothing
    can be valued, a sentence says so.
    """
    things = things_to_know(before, alike, now, bridge, language, n - 1)
    said = [
        Sentence(text(f"findings.thing_{thing.code}", language, currency=currency, **thing.values), _PAGES[thing.code])
        for thing in things
    ]
    nothing = [Sentence(text("findings.thing_none", language))]
    return FiveThings((_month_sentence(totals, now, language, currency), *(said or nothing)))

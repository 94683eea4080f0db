"""The sentences that fit the rows of a file, the value matrices and the pyramid, also where the data lack a column."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import pandas as pd

from custvalue.labels import text
from custvalue.matrix import Matrix
from custvalue.pyramid import loss_key
from custvalue.referrals import Referrals
from custvalue.tables import Missing, Sentence, say

__all__ = [
    "latent_finding",
    "loss_finding",
    "quadrant_finding",
    "referral_finding",
    "rows_finding",
    "wallet_finding",
]


def rows_finding(facts: Mapping[str, Any], as_of: dt.date, language: str = "en", currency: str = "") -> Sentence:
    """How many rows can be used, of those up to the as-of date; later ones are told apart.

    ``facts``: those of :class:`custvalue.transactions.Orders`.

    >>> facts = {"rows_in": 10, "rows_accepted": 4, "rows_quarantined": 6, "rows_after_as_of": 5}
    >>> rows_finding({**facts, "money_accepted": 90.0}, dt.date(2024, 1, 31)).text[:49]
    'Up to 2024-01-31, 4 of 5 rows (80.0%) can be used'
    """
    later, used = facts["rows_after_as_of"], facts["rows_accepted"]
    rows_in, aside = facts["rows_in"] - later, facts["rows_quarantined"] - later
    key = ("rows_used" if aside else "rows_all_used") + ("_until" if later else "")
    values = {"rows": used, "rows_in": rows_in, "share": used / rows_in, "set_aside": aside}
    values |= {"later": later, "as_of": as_of, "currency": currency, "money": facts["money_accepted"]}
    return say(f"findings.{key}", language, **values)


def quadrant_finding(
    matrix: Matrix, best: pd.Series, active: int, language: str = "en", currency: str = ""
) -> Sentence:
    """The customers high on both axes of the sales x margin matrix (C10), and how many of them still buy.

    ``best``: the row of ``high_high`` of the profile by ``quadrant``; ``active``: how many of these bought within the
    last 12 months.
    """
    if not active:
        return say("findings.best_quadrant_none", language)
    values = {"n": best["n_customers"], "share": best["share_customers"], "share_sales": best["share_sales"]}
    if matrix.y == matrix.x:
        values |= {"cut": matrix.x_cut, "currency": currency}
        key = "sales_all" if active == best["n_customers"] else "sales_only"
        return say(f"findings.best_quadrant_{key}", language, active=active, **values)
    key = "best_quadrant_loss" if matrix.y_cut < 0 else "best_quadrant"
    return say(f"findings.{key}", language, active=active, **values)


def latent_finding(matrix: Matrix, latent: pd.Series, days: int, language: str = "en") -> Sentence:
    """The customers of low value and high potential (C11), and what their potential rests on.

    ``matrix``: of value and potential; ``latent``: the row of ``latent_value`` of the profile by ``value_class``;
    ``days``: the longest silence of a customer with potential. Where of the potential only the activity is known, it
    tells who still buys and not who could buy more.
    """
    known = matrix.parts[(matrix.parts["index_of"] == "potential") & (matrix.parts["n_known"] > 0)]
    thin = "_thin" if set(known["part"]) <= {"activity"} else ""
    values = {"n": latent["n_customers"], "share": latent["share_customers"], "days": days}
    return say(f"findings.latent_class{thin if values['n'] else '_none'}", language, **values)


def wallet_finding(wallet: pd.DataFrame, language: str = "en") -> Sentence:
    """How much of what the customers spend on such goods comes to us (C5).

    ``wallet``: of :func:`custvalue.indices.share_of_wallet`.

    >>> wallet = pd.DataFrame({"n_known": [4], "sales_12m": [30.0], "category_spend_year": [120.0]})
    >>> wallet_finding(wallet).text[:58]
    'Of what 4 customers spend on such goods in a year, 25.0% c'
    """
    if wallet.empty:
        return Missing(text("findings.wallet_none", language))
    share = wallet["sales_12m"].sum() / wallet["category_spend_year"].sum()
    return say("findings.wallet", language, n=wallet["n_known"].sum(), share=share)


def referral_finding(referrals: Referrals, language: str = "en", currency: str = "") -> Sentence:
    """How many customers were brought by others, and what they are worth (C6).

    ``referrals``: of :func:`custvalue.referrals.referral_value`.
    """
    if referrals.totals["n"]:
        return say("findings.referrals", language, currency=currency, **referrals.totals)
    said = text("notes.referrals_none", language)
    return Missing(said) if set(referrals.notes) == {"none"} else Sentence(said)


def loss_finding(losing: pd.DataFrame, served: pd.DataFrame, language: str = "en", currency: str = "") -> Sentence:
    """How many customers cost more than they bring (C9).

    ``losing``: of :func:`custvalue.pyramid.loss_makers`; ``served``: of :func:`custvalue.pyramid.with_profit`.

    >>> nobody = pd.DataFrame({"tier": [], "profit_12m": []})
    >>> loss_finding(nobody, pd.DataFrame({"profit_12m": [5.0]}))
    Nobody cost more in the last 12 months than they brought in.
    """
    key, loss = loss_key(served), -losing["profit_12m"].sum()
    if key == "findings.loss_makers_unknown":
        return Missing(text("notes.pyramid_margin_unknown", language))
    return say(key, language, n=len(losing), loss=loss, lead=(losing["tier"] == "lead").sum(), currency=currency)

"""What an order of a customer will be worth: the Gamma-Gamma model of spend, and the share that stays."""

from __future__ import annotations

import contextlib
import io
import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.special import betaln

__all__ = ["SHRINK_ORDERS", "SpendModel", "fit_spend", "value_rate"]

#: Orders the overall mean weighs against a customer's own orders where the Gamma-Gamma model can not be used.
SHRINK_ORDERS = 1.0
#: A model whose population mean is further than this factor from the mean in the data is not used.
_FAR_OFF = 2.0


@dataclass(frozen=True)
class SpendModel:
    """Expected money of a future order: a customer's own mean drawn towards the mean of all.

    The own mean of n repeat orders has the weight n / (n + ``weight_orders``). For ``kind`` ``"gamma_gamma"``
    ``weight_orders`` is (q - 1) / p and ``population_mean`` p v / (q - 1) (Fader & Hardie 2013, note 025, eq.
    5); for ``"shrunk_mean"`` they are :data:`SHRINK_ORDERS` and the mean of the data. ``correlation`` is
    Spearman's, of repeat orders and mean spend among repeat buyers; the model takes it to be 0.

    >>> SpendModel("shrunk_mean", 10.0, 1.0).expected_spend([0, 1, 3], [0.0, 20.0, 20.0])
    array([10. , 15. , 17.5])
    """

    kind: str
    population_mean: float
    weight_orders: float
    parameters: Mapping[str, float] = field(default_factory=dict)
    log_likelihood: float = math.nan
    n_customers: int = 0
    correlation: float = math.nan
    notes: tuple[str, ...] = ()

    def expected_spend(self, n_repeats, mean) -> np.ndarray:
        """Expected money of one future order; customers without a usable own mean get the population mean."""
        n, own = np.asarray(n_repeats, dtype=float), np.asarray(mean, dtype=float)
        n = np.where((n > 0) & (own > 0), n, 0.0)
        drawn = n * np.where(n > 0, own, 0.0) + self.weight_orders * self.population_mean
        return drawn / (n + self.weight_orders)


def repeat_means(customers: pd.DataFrame) -> pd.DataFrame:
    """One row per customer: ``n`` repeat orders and their ``mean``; 0 and NaN where none is positive."""
    usable = (customers["n_repeats"] > 0) & (customers["repeat_sales"] > 0)
    n = customers["n_repeats"].where(usable, 0).astype(float)
    return pd.DataFrame({"n": n, "mean": customers["repeat_sales"].where(usable) / n.where(usable)})


def _log_likelihood(q: Mapping[str, float], n: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Log-likelihood of each customer's mean spend (Fader & Hardie 2013, eq. 1a)."""
    shape = q["p"] * n
    total = (shape - 1) * np.log(mean) + shape * np.log(n) - (shape + q["q"]) * np.log(n * mean + q["v"])
    return total + q["q"] * np.log(q["v"]) - betaln(shape, q["q"])


def _gamma_gamma(buyers: pd.DataFrame) -> dict[str, float] | None:
    """p, q, v by maximum likelihood over distinct (n, mean) rows, in units of the mean; None if it fails."""
    import lifetimes

    scale = buyers["mean"].mean()
    rows = buyers.groupby(["n", "mean"]).size().reset_index(name="weight")
    with warnings.catch_warnings(), np.errstate(all="ignore"), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            fitter = lifetimes.GammaGammaFitter().fit(rows["n"], rows["mean"] / scale, weights=rows["weight"])
        except (ValueError, ArithmeticError):
            return None
    p, q, v = (float(value) for value in fitter.params_)
    return {"p": p, "q": q, "v": float(v * scale)}


def _problem(q: Mapping[str, float] | None, mean: float) -> str:
    """Why the fitted parameters can not be used; empty when they can."""
    if q is None or not all(0 < value < math.inf for value in q.values()):
        return "spend_model_failed"
    if q["q"] <= 1:
        return "spend_without_mean"
    far = abs(math.log(q["p"] * q["v"] / (q["q"] - 1) / mean)) > math.log(_FAR_OFF)
    return "spend_mean_far_off" if far else ""


def _correlation(buyers: pd.DataFrame) -> float:
    if len(buyers) < 3 or buyers["n"].nunique() < 2 or buyers["mean"].nunique() < 2:
        return math.nan
    return float(buyers["n"].corr(buyers["mean"], method="spearman"))


def _plain_mean(customers: pd.DataFrame, buyers: pd.DataFrame) -> float:
    """Mean of the repeat buyers' means; of the mean order values where nobody bought twice; else 0."""
    if len(buyers):
        return float(buyers["mean"].mean())
    positive = customers["mean_order_value"].where(customers["mean_order_value"] > 0)
    return float(positive.mean()) if positive.notna().any() else 0.0


def fit_spend(customers: pd.DataFrame) -> SpendModel:
    """Fit the Gamma-Gamma model to the repeat purchases of the repeat buyers, through ``lifetimes``.

    Uses n_repeats, repeat_sales and, where nobody bought twice, mean_order_value. Where the model has no
    finite mean (q <= 1, note ``spend_without_mean``), has one more than twice or less than half the data's
    (``spend_mean_far_off``) or does not fit (``spend_model_failed``), means are shrunk with the weight of
    :data:`SHRINK_ORDERS` order instead.

    >>> one = pd.DataFrame({"n_repeats": [0], "repeat_sales": [0.0], "mean_order_value": [12.0]})
    >>> fit_spend(one).population_mean
    12.0
    """
    means = repeat_means(customers)
    buyers = means[means["n"] > 0]
    plain, correlation = _plain_mean(customers, buyers), _correlation(buyers)
    q = _gamma_gamma(buyers) if buyers["mean"].nunique() > 1 else None
    problem = _problem(q, plain)
    common = {"n_customers": len(buyers), "correlation": correlation}
    if problem:
        return SpendModel("shrunk_mean", plain, SHRINK_ORDERS, notes=(problem,), **common)
    total = float(_log_likelihood(q, buyers["n"].to_numpy(), buyers["mean"].to_numpy()).sum())
    mean, weight = q["p"] * q["v"] / (q["q"] - 1), (q["q"] - 1) / q["p"]
    return SpendModel("gamma_gamma", mean, weight, q, total, **common)


def value_rate(customers: pd.DataFrame, value_is: str) -> pd.Series:
    """The share of a customer's purchases that stays as ``margin`` or as ``sales`` after returns.

    (value_i + m R) / (purchases_i + m): his own share drawn to the shop's share R with the weight of one
    average order m. Purchases are sales before returns; a customer without a margin gets R. A
    margin rate lies in [-1, 1], a share of sales in [0, 1].

    >>> value_rate(pd.DataFrame({"sales": [100.0, 100.0], "returns": [0.0, 0.0], "margin": [50.0, 10.0],
    ...                          "n_orders": [1, 1]}), "margin").round(2).tolist()
    [0.4, 0.2]
    """
    purchases = (customers["sales"] + customers["returns"].fillna(0)).clip(lower=0)
    value = customers[value_is]
    known = purchases.where(value.notna(), 0).sum()
    overall = value.sum() / known if known > 0 else float(value_is == "sales")
    order = max(purchases.sum() / max(customers["n_orders"].sum(), 1), 1e-9)
    own = value.fillna(overall * purchases)
    return ((own + order * overall) / (purchases + order)).clip(-1.0 if value_is == "margin" else 0.0, 1.0)

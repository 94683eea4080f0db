"""What an order of a customer will be worth: the Gamma-Gamma model of spend, and the share that stays."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from scipy.special import stdtr

from custvalue.lifetime.gamma_gamma import fit_gamma_gamma

__all__ = ["SHRINK_ORDERS", "SpendModel", "fit_spend", "rate_base", "repeat_means", "value_rate"]

#: Orders the overall mean weighs against a customer's own orders where the Gamma-Gamma model can not be used.
SHRINK_ORDERS = 1.0
#: A model whose population mean is further than this factor from the mean in the data is not used.
_FAR_OFF = 2.0
#: Spend goes with the number of orders where their correlation is further from 0 than this, at this level of p.
_CORRELATED, _LEVEL = 0.05, 0.01
#: Then spend is fitted in at most so many groups of customers by number of orders, of at least so many buyers each.
_GROUPS, _FEWEST_IN_GROUP = 5, 100
#: Correlations are measured on at most so many buyers.
_MEASURED = 30_000


@dataclass(frozen=True)
class SpendModel:
    """Expected money of a future order: a customer's own mean drawn towards the mean of all.

    The own mean of n repeat orders has the weight n / (n + ``weight_orders``). For ``kind`` ``"gamma_gamma"``
    ``weight_orders`` is (q - 1) / p and ``population_mean`` p v / (q - 1) (Fader & Hardie 2013, note 025, eq. 5); for
    ``"shrunk_mean"`` they are :data:`SHRINK_ORDERS` and the mean of the data, and ``spread`` is the coefficient of
    variation of customers' true means.

    ``correlation`` is Spearman's, of repeat orders and mean spend among repeat buyers (at most 30,000 of them). Means
    of more orders are less skewed, which alone makes it positive (about .03 to .1), so whether spend goes with the
    number of orders is decided by ``mean_correlation``, Pearson's of the rank of the orders with the mean spend, which
    this leaves at 0. Where it is further from 0 than 0.05 with p < 0.01, ``groups`` has one model for each group of
    customers by number of repeat orders, from ``fewest`` on, which takes the place of the model of all.

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
    spread: float = 0.0
    mean_correlation: float = math.nan
    fewest: int = 0
    groups: tuple[SpendModel, ...] = ()

    def expected_spend(self, n_repeats, mean) -> np.ndarray:
        """Expected money of one future order; customers without a usable own mean get the population mean."""
        n, own = _usable(n_repeats, mean)
        weight, centre = self._of_each(n, "weight_orders"), self._of_each(n, "population_mean")
        return (n * own + weight * centre) / (n + weight)

    def simulate_spend(self, n_repeats, mean, n_orders, rng: np.random.Generator, who=slice(None)) -> np.ndarray:
        """One draw a customer of the money of ``n_orders`` future orders together: his mean, then the orders.

        ``who`` are the places of the customers of the draws where a customer has several, or none.

        Gamma-Gamma: his rate is gamma(q + p n, v + n mean) given his past, the orders together gamma(p x n_orders). The
        shrunk mean: gamma around the expected spend, with ``spread`` and equal variation between and within customers.
        """
        n, own = _usable(n_repeats, mean)
        k = np.broadcast_to(np.asarray(n_orders, dtype=float), n[who].shape)
        if self.kind != "gamma_gamma":
            return self._simulate_shrunk(n, self.expected_spend(n, own), k, rng, who)
        p, q, v = (self._of_each(n, name) for name in ("p", "q", "v"))
        rate = rng.gamma((q + p * n)[who], (1 / (v + n * own))[who])
        p = p[who]
        return np.where(k > 0, rng.gamma(p * np.maximum(k, 1)) / np.maximum(rate, 1e-300), 0.0)

    def _simulate_shrunk(self, n, expected, k, rng, who) -> np.ndarray:
        if self.spread <= 0:
            return k * expected[who]
        shape = 1 / self.spread**2
        certain = shape * (1 + n)
        centre = rng.gamma(certain[who]) / certain[who] * expected[who]
        return np.where(k > 0, rng.gamma(shape * np.maximum(k, 1)) / shape * centre, 0.0)

    def _of_each(self, n: np.ndarray, name: str) -> np.ndarray:
        """A field or parameter of the model that applies to each customer."""
        models = self.groups or (self,)
        values = np.array([model.parameters.get(name, getattr(model, name, math.nan)) for model in models])
        group = np.searchsorted([model.fewest for model in models], n, side="right") - 1
        return values[np.maximum(group, 0)]


def _usable(n_repeats, mean) -> tuple[np.ndarray, np.ndarray]:
    n, own = np.broadcast_arrays(np.asarray(n_repeats, dtype=float), np.asarray(mean, dtype=float))
    n = np.where((n > 0) & (own > 0), n, 0.0)
    return n, np.where(n > 0, own, 0.0)


def repeat_means(customers: pd.DataFrame) -> pd.DataFrame:
    """One row per customer: ``n`` repeat orders and their ``mean``; 0 and NaN where none is positive."""
    usable = (customers["n_repeats"] > 0) & (customers["repeat_sales"] > 0)
    n = customers["n_repeats"].where(usable, 0).astype(float)
    return pd.DataFrame({"n": n, "mean": customers["repeat_sales"].where(usable) / n.where(usable)})


def _problem(q: Mapping[str, float] | None, mean: float) -> str:
    """Why the fitted parameters can not be used; empty when they can."""
    if q is None or not all(0 < value < math.inf for value in q.values()):
        return "spend_model_failed"
    if q["q"] <= 1:
        return "spend_without_mean"
    far = abs(math.log(q["p"] * q["v"] / (q["q"] - 1) / mean)) > math.log(_FAR_OFF)
    return "spend_mean_far_off" if far else ""


def _correlations(buyers: pd.DataFrame) -> tuple[float, float, float]:
    """Spearman's of orders and mean spend; Pearson's of the rank of orders with mean spend, and its p-value."""
    if len(buyers) > _MEASURED:
        buyers = buyers.sample(_MEASURED, random_state=1)
    if len(buyers) < 3 or buyers["n"].nunique() < 2 or buyers["mean"].nunique() < 2:
        return math.nan, math.nan, 1.0
    ranks = buyers["n"].rank()
    along, free = float(ranks.corr(buyers["mean"])), len(buyers) - 2
    t = along * math.sqrt(free / max(1 - along**2, 1e-12))
    return float(ranks.corr(buyers["mean"].rank())), along, float(2 * stdtr(free, -abs(t)))


def _plain_mean(customers: pd.DataFrame, buyers: pd.DataFrame) -> float:
    """Mean of the repeat buyers' means; of the mean order values where nobody bought twice; else 0."""
    if len(buyers):
        return float(buyers["mean"].mean())
    positive = customers["mean_order_value"].where(customers["mean_order_value"] > 0)
    return float(positive.mean()) if positive.notna().any() else 0.0


def _spread(customers: pd.DataFrame, buyers: pd.DataFrame, centre: float) -> float:
    """Coefficient of variation of customers' true means, where orders vary as much around them as they do."""
    single = customers["mean_order_value"]
    values = buyers["mean"] if len(buyers) > 1 else single[single > 0]
    orders = buyers["n"] if len(buyers) > 1 else 1.0
    if centre <= 0 or len(values) < 2:
        return 0.0
    return float(np.sqrt((((values - centre) ** 2) / (1 + 1 / orders)).mean()) / centre)


def _one_model(buyers: pd.DataFrame, plain: float) -> SpendModel:
    """The Gamma-Gamma model of these buyers, or their shrunk mean with a note of why."""
    varied = len(buyers) > 1 and buyers["mean"].nunique() > 1
    found = fit_gamma_gamma(buyers["n"].to_numpy(), buyers["mean"].to_numpy()) if varied else None
    problem = _problem(found[0] if found else None, plain)
    if problem:
        return SpendModel("shrunk_mean", plain, SHRINK_ORDERS, n_customers=len(buyers), notes=(problem,))
    q, total = found
    return SpendModel("gamma_gamma", q["p"] * q["v"] / (q["q"] - 1), (q["q"] - 1) / q["p"], q, total, len(buyers))


def _lowest_counts(n: pd.Series) -> list[int]:
    """Smallest counts of groups that hold about equally many buyers, none too few."""
    wanted = max(len(n) / _GROUPS, _FEWEST_IN_GROUP)
    lows, held, left = [], math.inf, len(n)
    for count, size in n.value_counts().sort_index().items():
        if held >= wanted and left >= _FEWEST_IN_GROUP:
            lows, held = [*lows, int(count)], 0
        held, left = held + size, left - size
    return lows


def _grouped(model: SpendModel, buyers: pd.DataFrame) -> SpendModel:
    """The model with a mean for each group of customers by number of orders; the variation around it is common."""
    lows = _lowest_counts(buyers["n"])
    group = np.searchsorted(lows, buyers["n"], side="right") - 1
    centres = buyers["mean"].groupby(group).transform("mean")
    common = _one_model(buyers.assign(mean=buyers["mean"] / centres), 1.0)
    common = common if common.kind == model.kind else model
    means, sizes = centres.groupby(group).first(), np.bincount(group)
    groups = tuple(_moved(common, float(means[i]), low, int(sizes[i])) for i, low in enumerate(lows))
    return replace(model, groups=groups) if len(groups) > 1 else model


def _moved(model: SpendModel, mean: float, fewest: int, n: int) -> SpendModel:
    """The model with its mean moved to that of a group."""
    q = dict(model.parameters)
    if q:
        q["v"] *= mean / model.population_mean
    return SpendModel(model.kind, mean, model.weight_orders, q, n_customers=n, spread=model.spread, fewest=fewest)


def fit_spend(customers: pd.DataFrame) -> SpendModel:
    """Fit the Gamma-Gamma model to the repeat purchases of the repeat buyers, by maximum likelihood.

    Uses n_repeats, repeat_sales and, where nobody bought twice, mean_order_value. Where the model has no finite mean
    (q <= 1, note ``spend_without_mean``), has one more than twice or less than half the data's (``spend_mean_far_off``)
    or does not fit (``spend_model_failed``), means are shrunk with the weight of :data:`SHRINK_ORDERS` order instead.
    Where spend goes with the number of orders (``spend_rises_with_orders``, ``spend_falls_with_orders``), each
    group of customers by number of orders has its own mean, and p and q are those of spend relative to it. Parameters
    and log-likelihood of the result are those of the model of all.

    >>> one = pd.DataFrame({"n_repeats": [0], "repeat_sales": [0.0], "mean_order_value": [12.0]})
    >>> fit_spend(one).population_mean
    12.0
    """
    means = repeat_means(customers)
    buyers = means[means["n"] > 0]
    plain = _plain_mean(customers, buyers)
    spearman, along, level = _correlations(buyers)
    model = _one_model(buyers, plain)
    spread = _spread(customers, buyers, plain) if model.kind == "shrunk_mean" else 0.0
    model = replace(model, correlation=spearman, mean_correlation=along, spread=spread)
    if not (abs(along) > _CORRELATED and level < _LEVEL):
        return model
    grouped = _grouped(model, buyers)
    note = "spend_rises_with_orders" if along > 0 else "spend_falls_with_orders"
    return replace(grouped, notes=(*model.notes, note)) if grouped.groups else grouped


def _purchases(customers: pd.DataFrame) -> pd.Series:
    return (customers["sales"] + customers["returns"].fillna(0)).clip(lower=0)


def rate_base(customers: pd.DataFrame, value_is: str) -> tuple[float, float]:
    """The share R of all purchases together that stays, and the mean money m of one order; see :func:`value_rate`.

    >>> rate_base(pd.DataFrame({"sales": [90.0], "returns": [10.0], "margin": [50.0], "n_orders": [4]}), "margin")
    (0.5, 25.0)
    """
    purchases, value = _purchases(customers), customers[value_is]
    known = purchases.where(value.notna(), 0).sum()
    overall = value.sum() / known if known > 0 else float(value_is == "sales")
    return float(overall), float(max(purchases.sum() / max(customers["n_orders"].sum(), 1), 1e-9))


def value_rate(customers: pd.DataFrame, value_is: str, base: tuple[float, float] | None = None) -> pd.Series:
    """The share of a customer's purchases that stays as ``margin`` or as ``sales`` after returns.

    (value_i + m R) / (purchases_i + m): his own share drawn to the shop's share R with the weight of one
    average order m, of these customers or, with ``base``, of others (:func:`rate_base`). Purchases are sales before
    returns; a customer without a margin gets R. A margin rate lies in [-1, 1], a share of sales in [0, 1].

    >>> value_rate(pd.DataFrame({"sales": [100.0, 100.0], "returns": [0.0, 0.0], "margin": [50.0, 10.0],
    ...                          "n_orders": [1, 1]}), "margin").round(2).tolist()
    [0.4, 0.2]
    """
    overall, order = base or rate_base(customers, value_is)
    purchases = _purchases(customers)
    own = customers[value_is].fillna(overall * purchases)
    return ((own + order * overall) / (purchases + order)).clip(-1.0 if value_is == "margin" else 0.0, 1.0)

"""Fitting the models to grouped customers, with a ladder of attempts that always ends in finite forecasts."""

from __future__ import annotations

import contextlib
import io
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from custvalue.errors import AnalysisError
from custvalue.lifetime.models import FAMILIES, SILENT_DAYS, Family
from custvalue.lifetime.rules import MODELS

__all__ = ["Fitted", "fit", "fit_best", "grouped_rows"]

#: Parameters outside 1e-5 .. 1e4 (times: of the longest history) have run off along a flat likelihood.
_SMALLEST, _LARGEST = 1e-5, 1e4
#: A fit is no maximum when one parameter moved by 1% gains more log-likelihood per customer than this.
_GAIN = 1e-5
#: The most customers a model is fitted on, drawn at random: more only cost time, the forecast is for everybody.
FIT_SAMPLE = 30_000
#: Ridge on the log-parameters around the start, per customer, on the last rung.
_PENALTY = 1e-4


@dataclass(frozen=True)
class Fitted:
    """A model with its parameters, in weeks; ``log_likelihood`` is the total over customers (NaN for a rule).

    The methods take numbers or arrays x, t_x, T (weeks) and give arrays, finite everywhere; probabilities lie
    in [0, 1]. The example is the one of Fader, Hardie & Lee (2005).

    >>> bg = Fitted("bg_nbd", {"r": 0.2426, "alpha": 4.4136, "a": 0.7929, "b": 2.4259})
    >>> bg.expected_orders(2, 30.43, 38.86, weeks=39).round(3), bg.p_alive(2, 30.43, 38.86).round(3)
    (array([1.226]), array([0.727]))
    """

    model: str
    parameters: Mapping[str, float] = field(default_factory=dict)
    log_likelihood: float = math.nan
    n_customers: int = 0
    notes: tuple[str, ...] = ()

    def p_alive(self, x, t_x, T) -> np.ndarray:
        """Probability that the customer has not dropped out at T."""
        x, t_x, T = _arrays(x, t_x, T)
        return FAMILIES[self.model].p_alive(self.parameters, x, t_x, T)

    def expected_orders(self, x, t_x, T, weeks: float) -> np.ndarray:
        """Expected number of orders (purchase days) in the ``weeks`` after T."""
        return self.p_alive(x, t_x, T) * self.orders_if_alive(x, T, weeks)

    def p_order(self, x, t_x, T, weeks: float) -> np.ndarray:
        """Probability of at least one order in the ``weeks`` after T."""
        return self.p_alive(x, t_x, T) * self.any_order_if_alive(x, T, weeks)

    def orders_if_alive(self, x, T, weeks: float) -> np.ndarray:
        """Expected orders of a customer alive at T; computed once for each distinct (x, T)."""
        return _once_each(FAMILIES[self.model].orders_if_alive, self.parameters, x, T, weeks)

    def any_order_if_alive(self, x, T, weeks: float) -> np.ndarray:
        """Probability of an order of a customer alive at T; computed once for each distinct (x, T)."""
        return _once_each(FAMILIES[self.model].any_order_if_alive, self.parameters, x, T, weeks)


def _arrays(*values) -> list[np.ndarray]:
    return [np.array(v, dtype=float) for v in np.broadcast_arrays(*(np.atleast_1d(v) for v in values))]


def _once_each(function, parameters, x, T, weeks) -> np.ndarray:
    x, T = _arrays(x, T)
    pairs, row = np.unique(np.rec.fromarrays([x, T], names="x,T"), return_inverse=True)
    return function(parameters, pairs["x"].copy(), pairs["T"].copy(), float(weeks))[row]


def model_inputs(customers: pd.DataFrame) -> pd.DataFrame:
    """One row per customer: x, t_x and T in weeks, without rounding."""
    x = customers["n_repeats"].astype("int64")
    t_x = (customers["last_order"] - customers["first_order"]).dt.days.where(x > 0, 0) / 7
    return pd.DataFrame({"x": x, "t_x": t_x, "T": customers["tenure_days"].astype(float) / 7})


def grouped_rows(customers: pd.DataFrame) -> pd.DataFrame:
    """One row per distinct history: ``x`` repeats, ``t_x`` and ``T`` weeks, ``n_customers`` who share it.

    Fitting on these rows with weights gives the same answer as one row per customer.

    >>> days = pd.to_datetime(["2024-01-01", "2024-01-01", "2024-01-01"])
    >>> grouped_rows(pd.DataFrame({"first_order": days, "last_order": days + pd.to_timedelta([0, 0, 7], "D"),
    ...                            "n_repeats": [0, 0, 1], "tenure_days": [70, 70, 70]}))
       x  t_x     T  n_customers
    0  0  0.0  10.0            2
    1  1  1.0  10.0            1
    """
    return model_inputs(customers).groupby(["x", "t_x", "T"]).size().reset_index(name="n_customers")


def _columns(rows: pd.DataFrame) -> list[np.ndarray]:
    return [rows[name].to_numpy(dtype=float) for name in ("x", "t_x", "T", "n_customers")]


def _total(family: Family, parameters: Mapping[str, float], rows: pd.DataFrame) -> float:
    x, t_x, T, n = _columns(rows)
    with np.errstate(all="ignore"):
        return float((n * family.log_likelihood(parameters, x, t_x, T)).sum())


def _start(family: Family, rows: pd.DataFrame) -> np.ndarray:
    """Parameters that meet the mean rate: r = 1, alpha = T / x on average, the drop-out parameters even."""
    x, _, T, n = _columns(rows)
    weeks = {"alpha": (n * T).sum() / (n * x).sum(), "beta": T.max()}
    return np.array([weeks.get(name, 1.0) for name in family.names])


def _time_units(family: Family, rows: pd.DataFrame) -> np.ndarray:
    return np.array([rows["T"].max() if name in family.times else 1.0 for name in family.names])


def _from_lifetimes(family: Family, rows: pd.DataFrame, start: np.ndarray) -> np.ndarray:
    """Parameters from the package ``lifetimes``, which works in units of the longest history."""
    import lifetimes

    x, t_x, T, n = _columns(rows)
    start = start if family.fitter == "ParetoNBDFitter" else np.log(start)
    with contextlib.redirect_stdout(io.StringIO()):
        fitter = getattr(lifetimes, family.fitter)().fit(x, t_x, T, weights=n, initial_params=start)
    return fitter.params_[list(family.names)].to_numpy(dtype=float)


def _plain(family: Family, rows: pd.DataFrame) -> np.ndarray:
    return _from_lifetimes(family, rows, np.full(len(family.names), np.exp(0.1)))


def _rescaled(family: Family, rows: pd.DataFrame) -> np.ndarray:
    return _from_lifetimes(family, rows, _start(family, rows) / _time_units(family, rows))


def _penalised(family: Family, rows: pd.DataFrame) -> np.ndarray:
    """Our own likelihood, log-parameters held near the start by a weak ridge and within bounds."""
    from scipy.optimize import minimize

    units, n = _time_units(family, rows), rows["n_customers"].sum()
    start = np.log(_start(family, rows) / units)

    def loss(log_parameters: np.ndarray) -> float:
        parameters = dict(zip(family.names, np.exp(log_parameters) * units, strict=True))
        return -_total(family, parameters, rows) / n + _PENALTY * ((log_parameters - start) ** 2).sum()

    bounds = [(np.log(2 * _SMALLEST), np.log(_LARGEST / 2))] * len(start)
    return np.exp(minimize(loss, start, method="L-BFGS-B", bounds=bounds).x) * units


#: The ladder: attempts in turn, with the word each adds to the notes. The search for Pareto/NBD is slow and
#: takes a third of the time from the rescaled start, so its ladder begins there.
_RUNGS = (("", _plain), ("rescaled", _rescaled), ("penalised", _penalised))
_PARETO_RUNGS = (("", _rescaled), ("penalised", _penalised))


def _is_peak(family: Family, parameters: Mapping[str, float], rows: pd.DataFrame) -> bool:
    """Whether the likelihood is finite and no parameter moved by 1% improves it."""
    moved = [{**parameters, name: parameters[name] * by} for name in family.names for by in (0.99, 1.01)]
    allowed = _total(family, parameters, rows) + _GAIN * rows["n_customers"].sum()
    return bool(np.isfinite(allowed)) and all(_total(family, near, rows) <= allowed for near in moved)


def _attempt(rung, family: Family, rows: pd.DataFrame) -> dict[str, float] | None:
    """The parameters of one attempt, or None when it failed, ran off or stopped below the maximum."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            found = rung(family, rows)
        except (ValueError, ArithmeticError):
            return None
    relative = found / _time_units(family, rows)
    sane = np.isfinite(found).all() and (relative > _SMALLEST).all() and (relative < _LARGEST).all()
    parameters = dict(zip(family.names, found.tolist(), strict=True))
    return parameters if sane and (rung is _penalised or _is_peak(family, parameters, rows)) else None


def _drawn(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of at most ``FIT_SAMPLE`` customers, drawn without replacement and always alike."""
    counts = rows["n_customers"].to_numpy()
    if counts.sum() <= FIT_SAMPLE:
        return rows
    everybody = np.repeat(np.arange(len(rows)), counts)
    chosen = np.random.default_rng(1).choice(everybody, FIT_SAMPLE, replace=False)
    drawn = rows.assign(n_customers=np.bincount(chosen, minlength=len(rows)))
    return drawn[drawn["n_customers"] > 0].reset_index(drop=True)


def _rule(model: str, n: int) -> Fitted:
    parameters = {"silent_days": float(SILENT_DAYS)} if model == "rate_if_active" else {}
    return Fitted(model, parameters, n_customers=n)


def fit(rows: pd.DataFrame, model: str) -> Fitted:
    """Fit one model (or set up a naive rule) on the rows of :func:`grouped_rows`.

    Maximum likelihood through ``lifetimes``; where that fails, again from a start at the data's mean rate,
    then our own likelihood with a weak penalty. The note ``rescaled:<model>`` or ``penalised:<model>`` tells
    which was needed. More than ``FIT_SAMPLE`` customers are fitted on so many of them, drawn at random with a
    fixed seed (note ``sampled``); the log-likelihood is that of all. Raises ``AnalysisError`` when no attempt
    gives sane parameters (always so when nobody bought twice).

    >>> rows = pd.DataFrame({"x": [0, 1], "t_x": [0.0, 3.0], "T": [10.0, 10.0], "n_customers": [5, 2]})
    >>> fit(rows, "past_rate").expected_orders([1], [3.0], [10.0], weeks=20)
    array([2.])
    """
    n = int(rows["n_customers"].sum())
    family = FAMILIES[model]
    if not family.fitter:
        return _rule(model, n)
    ladder = _PARETO_RUNGS if model == "pareto_nbd" else _RUNGS
    learned = _drawn(rows)
    for word, rung in ladder if (learned["x"] > 0).any() else ():
        parameters = _attempt(rung, family, learned)
        if parameters is not None:
            notes = (f"{word}:{model}",) if word else ()
            notes += ("sampled",) if n > FIT_SAMPLE else ()
            return Fitted(model, parameters, _total(family, parameters, rows), n, notes)
    raise AnalysisError("model_not_fitted", model=model, n=n)


def fit_best(rows: pd.DataFrame, order: Sequence[str] = MODELS) -> Fitted:
    """The first model of ``order`` that can be fitted; the rule ``past_rate`` when none can.

    Odd data never raise. ``notes`` has ``failed:<model>`` for each model passed over, and the notes of
    :func:`fit`.

    >>> rows = pd.DataFrame({"x": [0], "t_x": [0.0], "T": [10.0], "n_customers": [5]})
    >>> fit_best(rows, ["bg_nbd"]).notes
    ('failed:bg_nbd',)
    """
    failed: tuple[str, ...] = ()
    for model in order:
        try:
            found = fit(rows, model)
        except AnalysisError:
            failed += (f"failed:{model}",)
        else:
            return replace(found, notes=failed + found.notes)
    return replace(fit(rows, "past_rate"), notes=failed)

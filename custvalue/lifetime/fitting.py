"""Fitting the models to grouped customers, with a ladder of attempts that always ends in finite forecasts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from custvalue.errors import AnalysisError
from custvalue.lifetime.fitted import Fitted
from custvalue.lifetime.grouping import grouped_rows, model_inputs
from custvalue.lifetime.likelihood import Likelihood, curvature, one_thread, polished, searched
from custvalue.lifetime.models import FAMILIES, SILENT_DAYS, Family
from custvalue.lifetime.reference import from_lifetimes
from custvalue.lifetime.regular import LARGEST_K
from custvalue.lifetime.rules import MODELS

__all__ = ["Fitted", "fit", "fit_best", "grouped_rows", "model_inputs"]

#: Up to so many customers the package ``lifetimes`` is asked too, where our own search finds no maximum.
LIFETIMES_UP_TO = 5_000
#: The search for a maximum starts on so many customers, drawn at random; the last steps are taken on all of them.
FIT_SAMPLE = 30_000
#: A direction of the log-parameters with less curvature than this, in all, is left open by the data.
_LEAST_CURVATURE = 0.1
#: Gains of the log-likelihood, in all, below which drop-out is not seen in the data (half the 95% point of chi-square
#: with two degrees of freedom).
_NO_GAIN = 3.0
#: With a mean P(alive) above this the model is asked whether it sees anybody leave at all.
_NEARLY_ALL = 0.95
#: Ridges on the log-parameters around the start, per customer, on the last rung, weakest first.
_RIDGES = (1e-4, 1e-3, 1e-2)


@dataclass(frozen=True)
class _Found:
    """Logarithms of the parameters, the mean curvature there per customer, and what had to be done."""

    log_parameters: np.ndarray
    curvature: np.ndarray
    word: str = ""


def _start(family: Family, rows: pd.DataFrame, out: float) -> np.ndarray:
    """Log-parameters that meet the mean rate: r = 1, alpha = T / x on average; ``out`` is a or s, b = 1."""
    x, T, n = (rows[name].to_numpy(dtype=float) for name in ("x", "T", "n_customers"))
    values = {"alpha": (n * T).sum() / (n * x).sum(), "beta": T.max(), "a": out, "s": out}
    return np.log([values.get(name, 1.0) for name in family.names])


def _is_peak(found: np.ndarray | None, likelihood: Likelihood) -> _Found | None:
    """``found`` moved onto the maximum near it, or None where there is none or the data leave it open."""
    if found is None or not likelihood.inside(found):
        return None
    bend = curvature(likelihood, found)
    least = _LEAST_CURVATURE / likelihood.n
    if not np.isfinite(bend).all() or np.linalg.eigvalsh(bend).min() < least:
        return None
    top = polished(likelihood, found, bend)
    return None if top is None or not likelihood.inside(top) else _Found(top, bend)


def _climbed(likelihood: Likelihood, rows: pd.DataFrame) -> _Found | None:
    """The first maximum that our search from several starts or, for few customers, ``lifetimes`` finds."""
    family = likelihood.family
    for out in (1.0, 0.1, 10.0):
        found = _is_peak(searched(likelihood, _start(family, rows, out)), likelihood)
        if found is not None:
            return found
    if family.fitter and likelihood.n <= LIFETIMES_UP_TO:
        return _is_peak(from_lifetimes(family, rows, np.exp(_start(family, rows, 1.0))), likelihood)
    return None


def _hardly_leaves(likelihood: Likelihood, log_parameters: np.ndarray) -> bool:
    """Whether the model takes nearly everybody for alive."""
    x, t_x, T, n = likelihood.columns
    alive = likelihood.family.p_alive(likelihood.parameters(log_parameters), x, t_x, T)
    return bool(likelihood.family.no_churn) and float(alive @ n) > _NEARLY_ALL * likelihood.n


def _without_churn(likelihood: Likelihood, rows: pd.DataFrame, reached: np.ndarray | None) -> _Found | None:
    """The limit of the model in which nobody leaves, where letting customers leave adds nothing to the likelihood."""
    family = likelihood.family
    if not family.no_churn:
        return None
    pinned = np.log([family.no_churn.get(name, np.nan) for name in family.names])
    limit = searched(likelihood, _start(family, rows, 1.0), pinned=pinned)
    if limit is None or (reached is not None and likelihood.total(reached) > likelihood.total(limit) + _NO_GAIN):
        return None
    if not _hardly_leaves(likelihood, limit):
        return None
    bend, free = curvature(likelihood, limit), np.isnan(pinned)
    bend[~free], bend[:, ~free] = 0.0, 0.0
    if not np.isfinite(bend).all():
        return None
    open_rate = np.linalg.eigvalsh(bend[np.ix_(free, free)]).min() * likelihood.n < _LEAST_CURVATURE
    return None if open_rate else _Found(limit, bend, "no_churn_seen")


def _held(likelihood: Likelihood, rows: pd.DataFrame) -> _Found | None:
    """The maximum with the parameters held near the start by the weakest ridge that keeps them from running off."""
    for ridge in _RIDGES:
        found = searched(likelihood, _start(likelihood.family, rows, 1.0), ridge)
        if found is not None and likelihood.inside(found):
            bend = curvature(likelihood, found) + 2 * ridge * np.eye(len(found))
            return _Found(found, bend, "penalised") if np.isfinite(bend).all() else None
    return None


def _ladder(likelihood: Likelihood, rows: pd.DataFrame) -> _Found | None:
    """A maximum; where the parameters run off, the limit without drop-out; else a fit with a weak prior."""
    found = _climbed(likelihood, rows)
    if found is not None:
        flat = _hardly_leaves(likelihood, found.log_parameters) and _without_churn(
            likelihood, rows, found.log_parameters
        )
        return replace(found, word="no_churn_seen") if flat else found
    held = _held(likelihood, rows)
    reached = held.log_parameters if held else None
    return _without_churn(likelihood, rows, reached) or held


def _covariance(bend: np.ndarray, n: float) -> np.ndarray:
    """Of the log-parameters; a direction left open has a standard deviation of 1."""
    values, vectors = np.linalg.eigh(bend * n)
    return (vectors / np.maximum(values, 1.0)) @ vectors.T


def _on_all(found: _Found, likelihood: Likelihood) -> np.ndarray:
    """The parameters of a sample moved onto the maximum of all customers."""
    if found.word == "penalised":
        return found.log_parameters
    top = polished(likelihood, found.log_parameters, found.curvature)
    top = searched(likelihood, found.log_parameters) if top is None else top
    return found.log_parameters if top is None else top


def _drawn(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of at most ``FIT_SAMPLE`` customers, drawn without replacement and always alike."""
    counts = rows["n_customers"].to_numpy()
    if counts.sum() <= FIT_SAMPLE:
        return rows
    chosen = np.random.default_rng(1).choice(counts.sum(), FIT_SAMPLE, replace=False, shuffle=False)
    drawn = np.bincount(np.searchsorted(counts.cumsum(), chosen, side="right"), minlength=len(counts))
    part = rows.assign(n_customers=drawn)
    if "sum_log_gaps" in rows:
        part["sum_log_gaps"] = rows["sum_log_gaps"] * drawn / counts
    return part[drawn > 0].reset_index(drop=True)


def _log_gaps(rows: pd.DataFrame) -> float:
    """The sum of the logarithms of the weeks between purchase days, over all customers."""
    return float(rows["sum_log_gaps"].sum() - np.log(7) * (rows["x"] * rows["n_customers"]).sum())


def _plain(family: Family, rows: pd.DataFrame) -> tuple[dict[str, float], _Found | None]:
    return {}, _ladder(Likelihood(family, rows), rows)


def _best_k(family: Family, rows: pd.DataFrame) -> tuple[dict[str, float], _Found | None]:
    """The k of the most likely spacing, tried from 1 until the likelihood falls, and its fit."""
    best, top = None, -math.inf
    for k in range(1, LARGEST_K + 1 if "sum_log_gaps" in rows else 2):
        likelihood = Likelihood(family, rows, {"k": float(k)})
        found = _ladder(likelihood, rows)
        total = -math.inf if found is None else likelihood.total(found.log_parameters)
        total += (k - 1) * _log_gaps(rows) if k > 1 else 0.0
        if not total > top:
            break
        best, top = (likelihood.fixed, found), total
    return best or ({}, None)


def _rule(model: str, n: int) -> Fitted:
    parameters = {"silent_days": float(SILENT_DAYS)} if model == "rate_if_active" else {}
    return Fitted(model, parameters, n_customers=n)


@one_thread()
def _learned(model: str, rows: pd.DataFrame) -> Fitted | None:
    family, sample = FAMILIES[model], _drawn(rows)
    fixed, found = (
        _best_k(family, sample) if model == "mbg_cnbd_k" else ({}, _ladder(Likelihood(family, sample), sample))
    )
    if found is None:
        return None
    likelihood = Likelihood(family, rows, fixed)
    at = found.log_parameters if sample is rows else _on_all(found, likelihood)
    total = likelihood.total(at)
    total += (fixed["k"] - 1) * _log_gaps(rows) if fixed.get("k", 1) > 1 else 0.0
    notes = (f"{found.word}:{model}",) if found.word else ()
    covariance = _covariance(found.curvature, likelihood.n)
    return Fitted(model, likelihood.parameters(at), total, int(likelihood.n), notes, covariance)


def fit(rows: pd.DataFrame, model: str) -> Fitted:
    """Fit one model (or set up a naive rule) on the rows of :func:`grouped_rows`.

    Maximum likelihood: our likelihood, with its slopes, is searched from several starts, the first steps on 30,000
    customers drawn with a fixed seed, the last on all. Where that finds no maximum, up to 5,000 customers, the package
    ``lifetimes`` searches too, and our slopes confirm what it found. Where there is none: the model's limit without
    drop-out if that is as likely (note ``no_churn_seen:<model>``), else the maximum under a weak prior
    (``penalised:<model>``). For ``mbg_cnbd_k`` the regularity k is the most likely of 1 to 4, 1 where the rows have no
    ``sum_log_gaps``. Raises ``AnalysisError`` when no attempt gives sane parameters (always so when nobody bought
    twice).

    >>> rows = pd.DataFrame({"x": [0, 1], "t_x": [0.0, 3.0], "T": [10.0, 10.0], "n_customers": [5, 2]})
    >>> fit(rows, "past_rate").expected_orders([1], [3.0], [10.0], weeks=20)
    array([2.])
    """
    n = int(rows["n_customers"].sum())
    if not FAMILIES[model].names:
        return _rule(model, n)
    found = _learned(model, rows) if (rows["x"] > 0).any() else None
    if found is None:
        raise AnalysisError("model_not_fitted", model=model, n=n)
    return found


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

"""The package ``lifetimes``, the second opinion of the fits: the only module that calls it."""

from __future__ import annotations

import contextlib
import io
import warnings

import numpy as np
import pandas as pd

from custvalue.lifetime.models import Family

__all__ = ["from_lifetimes", "spend_from_lifetimes"]

#: Its search of the Pareto/NBD ends after so many steps: a maximum takes it 150 to 300, a flat likelihood thousands.
_STEPS = {"ParetoNBDFitter": {"maxiter": 400}}


def from_lifetimes(family: Family, rows: pd.DataFrame, start: np.ndarray) -> np.ndarray | None:
    """Logarithms of the parameters ``lifetimes`` fits to the rows of ``grouped_rows``; None where it fails.

    It works in units of the longest history, and begins at ``start``.
    """
    import lifetimes

    x, t_x, T, n = (rows[name].to_numpy(dtype=float) for name in ("x", "t_x", "T", "n_customers"))
    start = start / [T.max() if name in family.times else 1.0 for name in family.names]
    steps = _STEPS.get(family.fitter, {})
    start = start if family.fitter == "ParetoNBDFitter" else np.log(start)
    with _quiet():
        try:
            fitter = getattr(lifetimes, family.fitter)().fit(x, t_x, T, weights=n, initial_params=start, **steps)
            return np.log(fitter.params_[list(family.names)].to_numpy(dtype=float))
        except (ValueError, ArithmeticError):
            return None


def spend_from_lifetimes(n: np.ndarray, mean: np.ndarray) -> np.ndarray | None:
    """Logarithms of p, q, v that ``lifetimes`` fits to repeat orders and their mean; None where it fails."""
    import lifetimes

    with _quiet():
        try:
            return np.log(lifetimes.GammaGammaFitter().fit(n, mean).params_.to_numpy(dtype=float))
        except (ValueError, ArithmeticError):
            return None


@contextlib.contextmanager
def _quiet():
    with warnings.catch_warnings(), np.errstate(all="ignore"), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield

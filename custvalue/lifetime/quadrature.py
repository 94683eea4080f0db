"""The numerical integrals that the closed forms of the lifetime models can not give without overflow."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.special import betaln, expit

__all__ = ["beta_rule", "decay_integral", "decay_means", "discounted_decay", "legendre"]

_LEGENDRE_NODES = 40
_BETA_NODES = 64
_NEGLIGIBLE = 40.0


@cache
def legendre(nodes: int) -> tuple[tuple[float, float], ...]:
    """Nodes and weights of the Gauss-Legendre rule on [-1, 1], computed once.

    >>> [(round(node, 6), weight) for node, weight in legendre(1)]
    [(0.0, 2.0)]
    """
    return tuple(zip(*(values.tolist() for values in np.polynomial.legendre.leggauss(nodes)), strict=True))


def _reach(rate: np.ndarray | float, shift: np.ndarray | float) -> np.ndarray:
    """How far from 0 ``(1 + u / shift) ** -rate`` falls to ``exp(-40)``."""
    return shift * np.expm1(np.minimum(_NEGLIGIBLE / rate, 300.0))


def decay_integral(start, end, alpha, k, beta, m):
    r"""The integral from ``start`` to ``end`` of two power decays that are both 1 at ``start``.

    .. math:: \int ((\alpha + start) / (\alpha + u))^k ((\beta + start) / (\beta + u))^m du

    Gauss-Legendre in ``log(min(alpha, beta) + u)``, cut where a factor has fallen to ``exp(-40)``: every
    singularity then lies at distance pi from the real line, so 40 nodes give more than ten digits.

    >>> round(float(decay_integral(0.0, 1.0, 1.0, 1.0, 1.0, 1.0)), 12)  # 1 - 1/2
    0.5
    """
    start = np.asarray(start, dtype=float)
    width = np.minimum(np.minimum(end - start, _reach(k, alpha + start)), _reach(m, beta + start))
    nearest = min(alpha, beta) + start
    length = np.log1p(width / nearest)
    total = np.zeros(np.broadcast(start, end, k, m).shape)
    for node, weight in legendre(_LEGENDRE_NODES):
        growth = np.expm1(length * (node + 1) / 2)
        u = nearest * growth
        decay = -k * np.log1p(u / (alpha + start)) - m * np.log1p(u / (beta + start))
        total += weight / 2 * np.exp(decay) * (1 + growth)
    return total * nearest * length


def decay_means(start, end, alpha, k, beta, m) -> tuple[np.ndarray, ...]:
    """:func:`decay_integral`, and four means under its integrand: what its derivatives are made of.

    The means of log((alpha + u) / (alpha + start)), 1 / (alpha + u), and the same two of beta.

    >>> area, _, over_alpha, _, _ = decay_means(0.0, 1.0, 1.0, 1.0, 1.0, 1.0)
    >>> round(float(over_alpha), 12)  # (the integral of (1 + u)^-3) / (that of (1 + u)^-2)
    0.75
    """
    start = np.asarray(start, dtype=float)
    width = np.minimum(np.minimum(end - start, _reach(k, alpha + start)), _reach(m, beta + start))
    nearest, further = min(alpha, beta) + start, max(alpha, beta) + start
    power, other_power = (k, m) if alpha <= beta else (m, k)
    length, ratio = np.log1p(width / nearest), nearest / further
    total, log_near, over_near, log_far, over_far = np.zeros((5, *np.broadcast(start, end, k, m).shape))
    for node, weight in legendre(_LEGENDRE_NODES):
        to_near = length * ((node + 1) / 2)
        growth = np.expm1(to_near)
        far = growth * ratio
        to_far = np.log1p(far)
        density = weight / 2 * np.exp(-power * to_near - other_power * to_far)
        mass = density * (1 + growth)
        total += mass
        log_near += mass * to_near
        over_near += density
        log_far += mass * to_far
        over_far += mass / (1 + far)
    near = (log_near / total, over_near / (total * nearest))
    far = (log_far / total, over_far / (total * further))
    return total * nearest * length, *(near + far if alpha <= beta else far + near)


def discounted_decay(discount, power):
    r"""The integral :math:`\int_0^\infty e^{-discount \, v} (1 + v)^{-power} dv`, Gauss-Legendre in log(1 + v).

    >>> from scipy.special import exp1
    >>> round(float(discounted_decay(0.5, 1.0) / (np.exp(0.5) * exp1(0.5))), 12)
    1.0
    """
    discount = np.asarray(discount, dtype=float)
    length = np.log1p(np.minimum(_NEGLIGIBLE / discount, np.expm1(np.minimum(_NEGLIGIBLE / power, 300.0))))
    total = np.zeros(np.broadcast(discount, power).shape)
    for node, weight in legendre(_LEGENDRE_NODES):
        y = length * (node + 1) / 2
        total += weight / 2 * np.exp(-discount * np.expm1(y) - (power - 1) * y)
    return total * length


def beta_rule(a: float, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights, one row per ``b``, for the mean of a smooth function of p ~ Beta(a, b).

    The trapezoid rule in the log-odds of p, for the function less its chord from p = 0 to p = 1; the chord is
    integrated exactly, which keeps the rule accurate (about six digits at worst) for very small and large a,
    b.

    >>> nodes, weights = beta_rule(0.5, np.array([2.0]))
    >>> round(float((weights * nodes**2).sum()), 10)  # a (a + 1) / ((a + b) (a + b + 1))
    0.0857142857
    """
    b = np.asarray(b, dtype=float)[:, None]
    centre, spread = np.log((a + 1) / (b + 1)), 7 * np.sqrt(1 / (a + 1) + 1 / (b + 1))
    low, high = centre - spread - 25 / (a + 1), centre + spread + 25 / (b + 1)
    step = (high - low) / (_BETA_NODES - 1)
    log_odds = low + step * np.arange(_BETA_NODES)
    p = expit(log_odds)
    weights = step * np.exp(-a * np.logaddexp(0, -log_odds) - b * np.logaddexp(0, log_odds) - betaln(a, b))
    mean = a / (a + b)
    at_zero = 1 - mean - (weights * expit(-log_odds)).sum(axis=1, keepdims=True)
    at_one = mean - (weights * p).sum(axis=1, keepdims=True)
    ends = np.zeros_like(b)
    return np.hstack([ends, p, ends + 1]), np.hstack([at_zero, weights, at_one])

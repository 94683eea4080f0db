"""MBG/CNBD-k: customers who buy at regular intervals, and may leave after any purchase.

The weeks between purchases are Erlang-k: the sum of k exponential stages, k = 1 is the MBG/NBD. Source: Platzer &
Reutterer (2016), Marketing Science 35(5). Given that a customer is alive, the stages he has passed since his last
purchase are unknown: everything is a mixture over them. Future stages are a Poisson process; every k-th ends in a
purchase, which may be the last.
"""

from __future__ import annotations

import numpy as np
from scipy.special import betainc, digamma, gammaln

from custvalue.lifetime.beta_dropout import BgNbd, draw_thinned, log_survived, survived_slopes
from custvalue.lifetime.family import by_count
from custvalue.lifetime.quadrature import beta_rule

__all__ = ["LARGEST_K", "MbgCnbd"]

#: The most regular spacing tried.
LARGEST_K = 4


def _terms(q, x, t_x, T) -> list[np.ndarray]:
    """For each stage j = 0 .. k - 1 the weight of having passed j stages since the last purchase, 1 for j = 0."""
    R, u = q["r"] + q["k"] * x, (T - t_x) / (q["alpha"] + T)
    terms = [np.ones(np.broadcast(R, u).shape)]
    for j in range(1, int(q["k"])):
        terms.append(terms[-1] * (R + j - 1) * u / j)
    return terms


def _term_slopes(q, x, t_x, T) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The sum of the weights, and the derivatives of its logarithm by log r and log alpha."""
    R, terms = q["r"] + q["k"] * x, _terms(q, x, t_x, T)
    total, by_r, by_u, inner = sum(terms), 0.0, 0.0, 0.0
    for j in range(1, len(terms)):
        inner = inner + 1 / (R + j - 1)
        by_r, by_u = by_r + terms[j] * inner, by_u + j * terms[j]
    return total, q["r"] * by_r / total, -q["alpha"] * by_u / total / (q["alpha"] + T)


def _roots(k: int) -> list[tuple[complex, int]]:
    """The k-th roots of 1 other than 1, of each conjugate pair one, with how many each stands for."""
    return [(-1.0, 1) if 2 * j == k else (np.exp(2j * np.pi * j / k), 2) for j in range(1, k // 2 + 1)]


def _power(root: complex, R, tau):
    """The mean of root^N over the stages N that follow: Poisson at a gamma rate."""
    return np.exp(-R * np.log(1 + (1 - root) * tau))


def _mean_purchases(k: int, stage: int, R, tau):
    """Mean of floor((stage + N) / k): the purchases of N further stages when nobody leaves."""
    left = (k - 1) / 2
    for root, times in _roots(k):
        share = sum(h * root ** (stage - h) for h in range(k)) / k
        left = left + times * np.real(share * _power(root, R, tau))
    return np.maximum((stage + R * tau - left) / k, 0)


def _left_share(k: int, stage: int, R, tau, p):
    """1 - mean of (1 - p)^floor((stage + N) / k), exact to many digits for small p too.

    The power of the floor is a sum over the k-th roots of 1, of which each has a closed mean.
    """
    log_c = np.log1p(-np.minimum(p, 1 - 1e-9)) / k
    parts = [np.expm1((stage - h) * log_c) for h in range(k)]
    mean = sum(parts) / k
    decay = -R * np.log1p(-np.expm1(log_c) * tau)
    left = -np.expm1(decay) - mean * np.exp(decay)
    for root, times in _roots(k):
        share = sum(part * root ** (stage - h) for h, part in enumerate(parts)) / k
        left = left - times * np.real(share * _power(np.exp(log_c) * root, R, tau))
    return left


class MbgCnbd(BgNbd):
    """MBG/CNBD-k: Erlang-k spacing at a gamma rate, drop-out after every purchase with a beta probability.

    The parameter ``k`` is a whole number and not among ``names``. The likelihood leaves out its part that is free of
    the parameters, (k - 1) x the sum of the logarithms of the gaps; the fit adds it where it compares several k.
    """

    fitter = ""
    extra_chances = 1

    def log_alive_likelihood(self, q, x, t_x, T):
        r, alpha, k = q["r"], q["alpha"], q["k"]
        counts = by_count(lambda n: gammaln(r + k * n) - n * gammaln(k), x)
        rate = counts - gammaln(r) + r * np.log(alpha) - (r + k * x) * np.log(alpha + T)
        return rate + np.log(sum(_terms(q, x, t_x, T))) + log_survived(q, x + 1)

    def alive_slopes(self, q, x, t_x, T):
        r, alpha, k = q["r"], q["alpha"], q["k"]
        _, by_r, by_alpha = _term_slopes(q, x, t_x, T)
        rate = by_count(lambda n: digamma(r + k * n), x) - digamma(r) - np.log((alpha + T) / alpha)
        return [r * rate + by_r, r - alpha * (r + k * x) / (alpha + T) + by_alpha, *survived_slopes(q, x + 1)]

    def log_odds_gone(self, q, x, t_x, T):
        silence = (q["r"] + q["k"] * x) * np.log1p((T - t_x) / (q["alpha"] + t_x))
        return np.log(q["a"]) - np.log(q["b"] + x) + silence - np.log(sum(_terms(q, x, t_x, T)))

    def odds_slopes(self, q, x, t_x, T):
        r, alpha, b = q["r"], q["alpha"], q["b"]
        _, by_r, by_alpha = _term_slopes(q, x, t_x, T)
        silence = -alpha * (r + q["k"] * x) * (T - t_x) / ((alpha + T) * (alpha + t_x))
        return [r * np.log1p((T - t_x) / (alpha + t_x)) - by_r, silence - by_alpha, 1.0, -b / (b + x)]

    def stage_weights(self, q, x, t_x, T):
        terms = _terms(q, x, t_x, T)
        total = sum(terms)
        return [term / total for term in terms]

    def any_order_if_alive(self, q, x, T, weeks, stage=0):
        k, z = int(q["k"]), weeks / (q["alpha"] + T + weeks)
        return betainc(k - stage, q["r"] + k * x + stage, z)

    def orders_if_alive(self, q, x, T, weeks, stage=0):
        k, tau = int(q["k"]), weeks / (q["alpha"] + T)
        counts, row = np.unique(x, return_inverse=True)
        nodes, weights = beta_rule(q["a"], q["b"] + counts + 1)
        R, tau = np.broadcast_arrays(q["r"] + k * x + stage, tau)
        without = _mean_purchases(k, stage, R, tau)
        total = weights[row, 0] * without
        for j in range(1, nodes.shape[1]):
            p = nodes[row, j]
            total = total + weights[row, j] * _left_share(k, stage, R, tau, p) / p
        return np.clip(total, 0, without)

    def draw_if_alive(self, q, x, t_x, T, weeks, rng):
        k, upto = int(q["k"]), np.cumsum(self.stage_weights(q, x, t_x, T), axis=0)
        stage = (rng.random(np.shape(x)) * upto[-1] > upto).sum(axis=0)
        passed = rng.poisson(rng.gamma(q["r"] + k * x + stage, 1 / (q["alpha"] + T)) * weeks)
        return draw_thinned(q, x + 1, (stage + passed) // k, rng)

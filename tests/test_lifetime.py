"""The lifetime models: closed forms, limits, odd data, fitting."""

import warnings

import numpy as np
import pandas as pd
import pytest
from lifetime_customers import odd_customers, simulated, table_as_of
from scipy import integrate
from scipy.special import gammaln

from custvalue.errors import AnalysisError
from custvalue.lifetime import (
    MODELS,
    Fitted,
    fit,
    fit_best,
    grouped_rows,
)
from custvalue.lifetime.fitting import model_inputs
from custvalue.lifetime.models import FAMILIES
from custvalue.lifetime.quadrature import beta_rule, decay_integral

EXAMPLES = {
    "bg_nbd": Fitted("bg_nbd", {"r": 0.24, "alpha": 4.4, "a": 0.8, "b": 2.4}),
    "mbg_nbd": Fitted("mbg_nbd", {"r": 0.52, "alpha": 6.2, "a": 0.9, "b": 1.6}),
    "pareto_nbd": Fitted("pareto_nbd", {"r": 0.55, "alpha": 10.6, "s": 0.6, "beta": 11.7}),
    "nbd": Fitted("nbd", {"r": 0.38, "alpha": 12.0}),
    "mbg_cnbd_k": Fitted("mbg_cnbd_k", {"r": 0.6, "alpha": 3.1, "a": 0.8, "b": 1.7, "k": 2.0}),
}
every_model = pytest.mark.parametrize("model", MODELS)


# --- closed forms and limits


@pytest.mark.parametrize("model", ["bg_nbd", "mbg_nbd", "pareto_nbd", "nbd"])
def test_small_horizon_gives_the_rate_of_those_alive(model):
    q = EXAMPLES[model].parameters
    x, t_x, T, week = np.array([0, 3, 40]), np.array([0, 20, 25]), np.array([30, 30, 30]), 1e-6
    rate = EXAMPLES[model].p_alive(x, t_x, T) * (q["r"] + x) / (q["alpha"] + T) * week
    assert EXAMPLES[model].expected_orders(x, t_x, T, week) == pytest.approx(rate, rel=1e-5)
    assert EXAMPLES[model].p_order(x, t_x, T, week) == pytest.approx(rate, rel=1e-5)


def test_bg_is_the_textbook_expression():
    from scipy.special import hyp2f1

    r, alpha, a, b = 0.24, 4.4, 0.8, 2.4
    x, t_x, T, t = 2, 30.0, 39.0, 39.0
    hyper = hyp2f1(r + x, b + x, a + b + x - 1, t / (alpha + T + t))
    alive = 1 / (1 + a / (b + x - 1) * ((alpha + T) / (alpha + t_x)) ** (r + x))
    left = 1 - ((alpha + T) / (alpha + T + t)) ** (r + x) * hyper
    assert EXAMPLES["bg_nbd"].expected_orders(x, t_x, T, t) == pytest.approx(
        (a + b + x - 1) / (a - 1) * left * alive, rel=1e-9
    )


@pytest.mark.parametrize("model", ["bg_nbd", "mbg_nbd"])
def test_a_equal_to_one_is_no_gap(model):
    around = [
        Fitted(model, {"r": 0.5, "alpha": 6.0, "a": a, "b": 2.0}).expected_orders(4, 20, 30, 52)[0]
        for a in (1 - 1e-6, 1.0, 1 + 1e-6)
    ]
    assert around == pytest.approx([around[1]] * 3, rel=1e-5)


def test_pareto_with_s_equal_to_one_is_the_logarithm():
    q = {"r": 0.5, "alpha": 10.0, "s": 1.0, "beta": 12.0}
    expected = Fitted("pareto_nbd", q).orders_if_alive(3, 10, 30, 52)
    assert expected == pytest.approx([3.5 / 40 * 42 * np.log((42 + 52) / 42)], rel=1e-12)


def test_pareto_probabilities_against_direct_integration():
    q = EXAMPLES["pareto_nbd"].parameters
    r, alpha, s, beta = q.values()
    x, t_x, T = 4, 18.0, 40.0

    def gone(u):
        return s * beta**s / (alpha + u) ** (r + x) / (beta + u) ** (s + 1)

    def next_order(u):
        return (
            (r + x) / (alpha + T) * ((alpha + T) / (alpha + T + u)) ** (r + x + 1) * ((beta + T) / (beta + T + u)) ** s
        )

    alive = beta**s / (alpha + T) ** (r + x) / (beta + T) ** s
    p_alive = alive / (alive + integrate.quad(gone, t_x, T, epsabs=0)[0])
    assert EXAMPLES["pareto_nbd"].p_alive(x, t_x, T) == pytest.approx(p_alive, rel=1e-9)
    p_order = p_alive * integrate.quad(next_order, 0, 52)[0]
    assert EXAMPLES["pareto_nbd"].p_order(x, t_x, T, 52) == pytest.approx(p_order, rel=1e-9)


@every_model
def test_without_drop_out_all_models_are_the_nbd(model):
    rates = {"r": 0.5, "alpha": 8.0}
    gone = {**FAMILIES[model].no_churn, **({"k": 1.0} if model == "mbg_cnbd_k" else {})}
    nbd = Fitted(model, {**rates, **gone})
    x, T = np.array([0, 2, 30]), np.array([50.0, 50.0, 50.0])
    assert nbd.p_alive(x, T * (x > 0), T) == pytest.approx(1, abs=1e-4)
    assert nbd.expected_orders(x, T * (x > 0), T, 52) == pytest.approx((0.5 + x) / 58 * 52, rel=1e-4)
    assert nbd.p_order(x, T * (x > 0), T, 52) == pytest.approx(1 - (58 / 110) ** (0.5 + x), rel=1e-4)


@every_model
def test_likelihoods_of_all_histories_sum_to_one(model):
    # Two weeks, nobody seen to buy or someone: P(x = 0) + the density of the rest must be 1 (x up to 60).
    fitted, T = EXAMPLES[model], 6.0

    def density(x, t_x):
        one = FAMILIES[model].log_likelihood(fitted.parameters, np.array([float(x)]), np.array([t_x]), np.array([T]))
        # x - 1 purchases lie anywhere before the last; their gaps to the power k - 1 are a Dirichlet's integral
        k = fitted.parameters.get("k", 1)
        return np.exp(one[0] + (k * x - 1) * np.log(t_x) + x * gammaln(k) - gammaln(k * x) if x else one[0])

    several = sum(integrate.quad(lambda t, x=x: density(x, t), 0, T)[0] for x in range(1, 60))
    assert density(0, 0.0) + several == pytest.approx(1, abs=1e-6)


def test_one_time_buyers_are_always_alive_for_bg_only():
    x, t_x, T = np.zeros(3), np.zeros(3), np.array([0.0, 50.0, 500.0])
    assert EXAMPLES["bg_nbd"].p_alive(x, t_x, T).tolist() == [1, 1, 1]
    pareto = EXAMPLES["pareto_nbd"].p_alive(x, t_x, T)
    assert pareto[0] == 1
    assert (np.diff(pareto) < 0).all()


@pytest.mark.parametrize("a", [1e-4, 0.5, 3.0, 2e3])
def test_beta_rule_is_exact_for_mean_and_good_for_squares(a):
    b = np.array([1e-3, 0.7, 40.0, 3e3])
    nodes, weights = beta_rule(a, b)
    assert weights.sum(axis=1) == pytest.approx(1, abs=1e-10)
    assert (weights * nodes).sum(axis=1) == pytest.approx(a / (a + b), rel=1e-10)
    assert (weights * nodes**2).sum(axis=1) == pytest.approx(a * (a + 1) / (a + b) / (a + b + 1), rel=1e-4)


@pytest.mark.parametrize("k", [0.01, 1.0, 400.0])
def test_decay_integral_of_one_power(k):
    # the integral of (3 / (3 + u))^(k + m) from 0 to 9; the exponents add when both scales are one
    power = k + 0.5
    exact = 3 * (1 - 4 ** (1 - power)) / (power - 1)
    assert decay_integral(0.0, 9.0, 3.0, k, 3.0, 0.5) == pytest.approx(exact, rel=1e-10)


# --- finite everywhere


@every_model
@pytest.mark.parametrize("size", [2e-5, 1e-2, 1.0, 50.0, 9e3])
def test_no_nan_over_a_wide_grid(model, size):
    x, share, T = np.meshgrid([0, 1, 5, 60, 400, 3000], [0.0, 0.2, 0.99, 1.0], [1 / 7, 10, 100, 1000])
    x, T = x.ravel(), T.ravel()
    t_x = np.where(x > 0, share.ravel() * T, 0)
    names = FAMILIES[model].names
    for other in (1e-4, 0.7, 5e3):
        q = {name: size if i % 2 else other for i, name in enumerate(names)}
        q |= {"k": 3.0} if model == "mbg_cnbd_k" else {}
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            fitted = Fitted(model, q)
            alive, order = fitted.p_alive(x, t_x, T), fitted.p_order(x, t_x, T, 52)
            expected = fitted.expected_orders(x, t_x, T, 52)
        assert np.isfinite(expected).all()
        assert (expected >= 0).all()
        assert ((alive >= 0) & (alive <= 1)).all()
        assert ((order >= 0) & (order <= 1)).all()
        assert (order <= expected * (1 + 2e-5) + 1e-12).all()


@every_model
@pytest.mark.parametrize(
    "name", ["one customer", "three customers", "all one-timers", "identical", "no churn", "frequent buyers"]
)
def test_odd_data_end_in_finite_numbers(name, model):
    table = odd_customers(name)
    rows = grouped_rows(table)
    found = fit_best(rows, [model])
    inputs = model_inputs(table)
    for values in (
        found.expected_orders(inputs["x"], inputs["t_x"], inputs["T"], 52),
        found.p_order(inputs["x"], inputs["t_x"], inputs["T"], 52),
        found.p_alive(inputs["x"], inputs["t_x"], inputs["T"]),
    ):
        assert np.isfinite(values).all()
    assert found.n_customers == len(table)
    assert (found.model == "past_rate") == (name == "all one-timers")


def test_no_churn_goes_on_at_the_past_rate():
    table = odd_customers("no churn")
    inputs = model_inputs(table)
    found = fit_best(grouped_rows(table), ["bg_nbd"])
    expected = found.expected_orders(inputs["x"], inputs["t_x"], inputs["T"], 52).sum()
    naive = Fitted("past_rate").expected_orders(inputs["x"], inputs["t_x"], inputs["T"], 52).sum()
    whole_rate = inputs["x"].sum() / inputs["T"].sum() * 52 * len(table)
    assert min(naive, whole_rate) * 0.85 < expected < max(naive, whole_rate) * 1.15


def test_nobody_bought_twice():
    rows = grouped_rows(odd_customers("all one-timers"))
    with pytest.raises(AnalysisError, match="bg_nbd could not be fitted to 30 customers") as caught:
        fit(rows, "bg_nbd")
    assert caught.value.values == {"model": "bg_nbd", "n": 30}
    assert fit_best(rows).notes == tuple(f"failed:{model}" for model in MODELS)


# --- fitting


def test_grouping_keeps_the_answer():
    table = table_as_of(*simulated(400, 3, days=120))
    rows = grouped_rows(table)
    assert len(rows) < len(table)
    assert rows["n_customers"].sum() == len(table)
    single = model_inputs(table).assign(n_customers=1)
    one, other = fit(rows, "mbg_nbd"), fit(single, "mbg_nbd")
    assert one.log_likelihood == pytest.approx(other.log_likelihood, abs=1e-4)
    assert one.parameters == pytest.approx(other.parameters, rel=1e-3)


def test_simulated_parameters_come_back():
    table = table_as_of(*simulated(4000, 4))
    found = fit(grouped_rows(table), "pareto_nbd").parameters
    assert (found["r"], found["alpha"]) == pytest.approx((0.6, 8.0), rel=0.15)
    assert found["s"] / found["beta"] == pytest.approx(0.9 / 20, rel=0.3)


def test_naive_rules():
    x, t_x, T = [0, 2, 2], [0, 10, 20 - 60 / 7], [20, 20, 20]
    assert Fitted("past_rate").expected_orders(x, t_x, T, 10).tolist() == [0, 1, 1]
    assert fit(pd.DataFrame({"x": [0], "n_customers": [1]}), "rate_if_active").expected_orders(
        x, [0, 15, 20 - 60 / 7], T, 10
    ).tolist() == [0, 1, 0]
    assert Fitted("zero").expected_orders(x, t_x, T, 10).tolist() == [0, 0, 0]
    assert Fitted("past_rate").p_order(x, t_x, T, 10) == pytest.approx([0, 1 - np.exp(-1), 1 - np.exp(-1)])
    assert Fitted("past_rate").expected_orders(0, 0, 0, 10) == 0


@every_model
def test_many_customers_get_the_parameters_of_all_not_of_a_sample(model, monkeypatch):
    rows = grouped_rows(table_as_of(*simulated(12_000, 5)))
    monkeypatch.setattr("custvalue.lifetime.fitting.FIT_SAMPLE", 4_000)
    first, again = fit(rows, model), fit(rows, model)
    assert first.parameters == again.parameters
    assert (first.n_customers, first.notes) == (12_000, ())
    monkeypatch.setattr("custvalue.lifetime.fitting.FIT_SAMPLE", 12_000)
    on_all = fit(rows, model)
    assert first.parameters == pytest.approx(on_all.parameters, rel=1e-4)
    assert first.log_likelihood == pytest.approx(on_all.log_likelihood, abs=1e-3)
    assert np.diag(first.covariance) == pytest.approx(np.diag(on_all.covariance), rel=0.25)

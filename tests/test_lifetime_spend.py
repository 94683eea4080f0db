"""Spend: Gamma-Gamma by our own slopes, spend that goes with the number of orders, draws of future spend."""

import numpy as np
import pandas as pd
import pytest
from test_lifetime_forecast import spenders

from custvalue.lifetime import SpendModel, fit_spend
from custvalue.lifetime.gamma_gamma import SpendLikelihood, fit_gamma_gamma
from custvalue.lifetime.spend import repeat_means


def rising(n, seed, by=0.3):
    """Gamma-Gamma spend whose mean rises by a factor of exp(``by``) for each doubling of the repeat orders."""
    rng = np.random.default_rng(seed)
    x = rng.geometric(0.25, n) - 1
    true = 30 * np.maximum(x, 1) ** (by / np.log(2)) * rng.gamma(8.0, 1 / 8.0, n)
    mean = rng.gamma(4.0 * np.maximum(x, 1), true / (4.0 * np.maximum(x, 1)))
    table = pd.DataFrame({"n_repeats": x, "repeat_sales": np.where(x > 0, x * mean, 0.0), "mean_order_value": mean})
    return table, true


def relative_errors(model, table, true, groups):
    means = repeat_means(table)
    expected = pd.Series(model.expected_spend(means["n"], means["mean"]))
    return (expected.groupby(groups).mean() / pd.Series(true).groupby(groups).mean() - 1).abs()


def test_slopes_are_the_differences_of_the_likelihood():
    means = repeat_means(spenders(300, 1)).query("n > 0")
    likelihood = SpendLikelihood(means["n"].to_numpy(), means["mean"].to_numpy())
    at = np.log([5.0, 3.0, 12.0])
    differences = [(likelihood(at + d)[0] - likelihood(at - d)[0]) / 2e-5 for d in np.eye(3) * 1e-5]
    assert likelihood(at)[1] == pytest.approx(differences, rel=1e-6)


def test_optimum_is_that_of_lifetimes(monkeypatch):
    import lifetimes

    means = repeat_means(spenders(3000, 2)).query("n > 0")
    theirs = lifetimes.GammaGammaFitter().fit(means["n"], means["mean"])
    monkeypatch.setattr("custvalue.lifetime.gamma_gamma.LIFETIMES_UP_TO", 0)
    q, total = fit_gamma_gamma(means["n"].to_numpy(), means["mean"].to_numpy())
    assert q == pytest.approx(dict(theirs.params_), rel=1e-3)
    likelihood = SpendLikelihood(means["n"].to_numpy(), means["mean"].to_numpy())
    assert total >= likelihood.total(np.log(theirs.params_.to_numpy())) - 1e-6


def test_many_buyers_get_the_parameters_of_all_not_of_a_sample(monkeypatch):
    table = spenders(12_000, 3)
    monkeypatch.setattr("custvalue.lifetime.gamma_gamma.FIT_SAMPLE", 4_000)
    first = fit_spend(table)
    monkeypatch.setattr("custvalue.lifetime.gamma_gamma.FIT_SAMPLE", 20_000)
    assert first.parameters == pytest.approx(fit_spend(table).parameters, rel=1e-4)


@pytest.mark.parametrize(("by", "note"), [(0.3, "spend_rises_with_orders"), (-0.3, "spend_falls_with_orders")])
def test_spend_that_goes_with_orders_is_estimated_within_groups(by, note):
    table, true = rising(8000, 4, by)
    model = fit_spend(table)
    assert model.notes == (note,)
    assert model.kind == "gamma_gamma"
    assert len(model.groups) >= 3
    assert model.groups[0].fewest == 1
    buyers = table["n_repeats"] > 0
    lows = [group.fewest for group in model.groups]
    groups = np.searchsorted(lows, table["n_repeats"], side="right")[buyers]
    alone = SpendModel("gamma_gamma", model.population_mean, model.weight_orders, model.parameters)
    ungrouped = relative_errors(alone, table[buyers].reset_index(drop=True), true[buyers], groups)
    grouped = relative_errors(model, table[buyers].reset_index(drop=True), true[buyers], groups)
    assert grouped.max() < 0.04
    assert grouped.max() < 0.4 * ungrouped.max()


@pytest.mark.parametrize("seed", range(6))
def test_spend_that_does_not_go_with_orders_is_not_grouped(seed):
    model = fit_spend(spenders(3000, 10 + seed, p=1.5, q=3.0))
    assert model.groups == ()
    assert model.notes == ()
    assert abs(model.mean_correlation) < 0.06


def test_drawn_spend_has_the_expected_mean_and_the_spread_of_the_model():
    model = fit_spend(spenders(4000, 5))
    n, rng = 200_000, np.random.default_rng(6)
    drawn = model.simulate_spend(np.full(n, 3), 22.0, np.full(n, 4), rng)
    expected = 4 * model.expected_spend(3, 22.0)
    assert drawn.mean() == pytest.approx(float(expected), rel=0.01)
    # Var = E[4 p / nu^2] + Var(4 p / nu), nu ~ gamma(q + 3 p, v + 66)
    p, q, v = model.parameters.values()
    shape, rate = q + 3 * p, v + 66
    squares = rate**2 / ((shape - 1) * (shape - 2))
    variance = 4 * p * squares + 16 * p**2 * (squares - (rate / (shape - 1)) ** 2)
    assert drawn.var() == pytest.approx(variance, rel=0.05)
    assert model.simulate_spend([3, 3], 22.0, [0, 0], rng).tolist() == [0.0, 0.0]


def test_drawn_spend_of_groups_has_the_mean_of_each_group():
    table, _ = rising(8000, 7)
    model, rng = fit_spend(table), np.random.default_rng(8)
    for n in (0, 1, 20):
        drawn = model.simulate_spend(np.full(100_000, n), 50.0, 1, rng)
        assert drawn.mean() == pytest.approx(float(model.expected_spend(n, 50.0)), rel=0.02)


def test_drawn_spend_of_the_shrunk_mean():
    table = spenders(800, 7, q=0.6)
    model, rng = fit_spend(table), np.random.default_rng(9)
    assert model.kind == "shrunk_mean"
    assert model.spread > 0.5
    drawn = model.simulate_spend(np.full(400_000, 8), 30.0, 2, rng)
    assert drawn.mean() == pytest.approx(float(2 * model.expected_spend(8, 30.0)), rel=0.1)
    one = fit_spend(pd.DataFrame({"n_repeats": [2, 3], "repeat_sales": [60.0, 90.0], "mean_order_value": 30.0}))
    assert one.simulate_spend([2, 0], [30.0, np.nan], [3, 0], rng).tolist() == [90.0, 0.0]

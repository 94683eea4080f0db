"""Intervals: how often they hold the truth, what widens them, memory and repeats."""

import importlib.util
import tracemalloc
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT
from lifetime_customers import AS_OF, customers_of, odd_customers, simulated, table_as_of

from custvalue.lifetime import LifetimeRules, fit_spend, fitting, forecast, forecast_intervals
from custvalue.lifetime.blend import Weights
from custvalue.lifetime.intervals import _spend_error, model_error
from custvalue.lifetime.spend import repeat_means

BOUNDS = ["low_95", "low_80", "high_80", "high_95"]


@pytest.fixture(scope="module")
def coverage():
    """The script that simulates portfolios with a known year."""
    spec = importlib.util.spec_from_file_location("benchmark_of_coverage", ROOT / "benchmarks" / "coverage.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


@pytest.fixture(scope="module")
def portfolio():
    table = table_as_of(*simulated(600, 8)).assign(margin=lambda t: 0.25 * t["sales"])
    return table, forecast(table, AS_OF, LifetimeRules(model="pareto_nbd"))


@pytest.fixture(scope="module")
def found(portfolio):
    return forecast_intervals(*portfolio)


@pytest.mark.parametrize("model", ["pareto_nbd", "bg_nbd"])
def test_most_portfolios_lie_within_their_interval(coverage, model, monkeypatch):
    monkeypatch.setattr(fitting, "LIFETIMES_UP_TO", 0)  # our own search finds the same maximum sooner
    results = pd.DataFrame([coverage.one(model, 200, seed) for seed in range(12)]).sum()
    # at a true coverage of 80%, 5 or fewer of 12 come once in 250 times; at one of 95%, 8 or fewer once in 450
    assert min(results["orders 80"], results["money 80"]) >= 6
    assert min(results["orders 95"], results["money 95"]) >= 9
    # customers' orders are whole numbers: their intervals hold more than they must
    assert min(results["customer orders 80"], results["customer money 80"]) / 12 >= 0.8
    assert results["customer orders 95"] / 12 >= 0.94


def test_intervals_are_not_so_wide_that_they_say_nothing(found):
    row = found.portfolio.iloc[0]
    noise = np.sqrt(row["expected"])  # orders vary more than Poisson counts, and the parameters are uncertain
    assert 2 * 1.28 * noise < row["high_80"] - row["low_80"] < row["expected"] * 0.5


def test_bounds_stand_in_order_around_the_expected(portfolio, found):
    totals = found.portfolio
    assert totals["measure"].tolist() == ["n_orders", "sales", "value"]
    assert (totals[BOUNDS].diff(axis=1).iloc[:, 1:] > 0).all(axis=None)
    assert totals["expected"].between(totals["low_80"], totals["high_80"]).all()
    for measure in ("orders", "value"):
        bounds = found.table[[f"{measure}_{bound}" for bound in BOUNDS]]
        assert (bounds.diff(axis=1).iloc[:, 1:] >= 0).all(axis=None)
    assert (found.table["orders_low_80"] % 1 == 0).all()


def test_totals_are_those_of_the_forecast(portfolio, found):
    totals = found.portfolio.set_index("measure")["expected"]
    result = portfolio[1]
    assert totals["n_orders"] == pytest.approx(result.table["expected_orders_12m"].sum())
    assert totals["sales"] == pytest.approx(result.monthly["expected_sales"].sum())
    assert totals["value"] == pytest.approx(result.table["clv_12m"].sum())


def test_orders_of_a_customer_without_uncertainty_are_poisson():
    # a known rate: the NBD with a huge shape; 26 orders a year, spend always 20
    from scipy.stats import poisson

    table = customers_of([100] * 20 + [90] * 20, [1400] * 40, [1400] * 40)
    result = forecast(table, AS_OF, LifetimeRules(model="nbd"))
    r = 2e7
    model = replace(result.fitted["nbd"], parameters={"r": r, "alpha": r / 0.5}, covariance=np.full((2, 2), 1e-14))
    expected = model.expected_orders(table["n_repeats"], 200.0, 200.0, 365 / 7)
    held = replace(result, fitted={"nbd": model}, table=result.table.assign(expected_orders_12m=expected))
    bounds = forecast_intervals(table, held).table
    low, high = poisson.ppf([0.1, 0.9], 0.5 * 365 / 7)
    assert bounds["orders_low_80"].mean() == pytest.approx(low, abs=0.5)
    assert bounds["orders_high_80"].mean() == pytest.approx(high, abs=0.5)


def test_more_customers_narrow_the_interval_of_all(portfolio, found):
    def relative(bounds):
        row = bounds.portfolio.iloc[0]
        return (row["high_80"] - row["low_80"]) / row["expected"]

    table = table_as_of(*simulated(3000, 8))
    large = forecast_intervals(table, forecast(table, AS_OF, LifetimeRules(model="pareto_nbd")))
    assert relative(large) == pytest.approx(relative(found) * np.sqrt(600 / 3000), rel=0.4)


def test_errors_of_the_backtest_widen_the_interval_of_all(portfolio, found):
    table, result = portfolio
    scores = pd.DataFrame({"model": ["pareto_nbd"] * 3, "bias": [0.4, -0.3, 0.35], "chosen": True})
    wide = forecast_intervals(table, result, scores)
    pd.testing.assert_frame_equal(forecast_intervals(table, replace(result, scores=scores)).portfolio, wide.portfolio)
    errors = np.log1p(scores["bias"])
    assert found.model_error == 0
    admitted = np.sqrt((errors**2).mean() - wide.model_error**2)  # the noise of 600 customers, parameters included
    assert 0.05 < admitted < 0.15
    old, new = (bounds.portfolio.iloc[0] for bounds in (found, wide))
    assert new["high_80"] > old["high_80"] * 1.2
    assert new["low_80"] < old["low_80"] * 0.9
    pd.testing.assert_frame_equal(wide.table, found.table)


def test_errors_the_model_admits_widen_nothing():
    scores = pd.DataFrame({"model": ["nbd", "bg_nbd", "bg_nbd"], "bias": [3.0, 0.05, np.nan]})
    assert model_error(scores, "bg_nbd", 0.1) == 0
    assert model_error(scores, "bg_nbd", 0.0) == pytest.approx(np.log(1.05))
    assert model_error(scores, "pareto_nbd", 0.0) == 0
    assert np.isfinite(model_error(scores.assign(bias=-1.0), "nbd", 0.0))


def test_the_mean_spend_of_few_buyers_is_uncertain():
    rng = np.random.default_rng(3)
    x = rng.integers(0, 4, 400)
    mean = rng.gamma(4.0, 5.0, 400)
    table = pd.DataFrame({"n_repeats": x, "repeat_sales": x * mean, "mean_order_value": mean})
    model, means = fit_spend(table), repeat_means(table)
    alone = np.where(x == 0, 1.0, 0.0)  # money of customers without an own mean: it is all the mean of the others
    own = mean[x > 0]
    assert _spend_error(means, model, alone) == pytest.approx(own.std() / own.mean() / np.sqrt(len(own)), rel=0.1)
    assert _spend_error(means, model, 1 - alone) < _spend_error(means, model, alone)


def test_a_retention_cost_lowers_the_value_alone(portfolio, found):
    table, _ = portfolio
    dear = forecast(table, AS_OF, LifetimeRules(model="pareto_nbd", retention_cost=3.0))
    bounds = forecast_intervals(table, dear)
    fall = found.portfolio["low_80"] - bounds.portfolio["low_80"]
    assert fall[2] == pytest.approx(dear.parts["retention_cost"].sum(), rel=1e-6)
    assert fall[:2].tolist() == [0, 0]


def test_the_interval_is_that_of_the_horizon(portfolio):
    table, result = portfolio
    short = forecast(table, AS_OF, LifetimeRules(model="pareto_nbd", horizon_months=3))
    totals = forecast_intervals(table, short).portfolio.set_index("measure")
    assert totals.loc["n_orders", "expected"] == pytest.approx(short.table["expected_orders_horizon"].sum())
    assert totals.loc["n_orders", "high_95"] < result.table["expected_orders_12m"].sum()


def test_a_blend_has_intervals_too(portfolio):
    table, _ = portfolio
    result = forecast(table, AS_OF, LifetimeRules(model="blend"), weights=Weights(orders=0.5, buys=0.2))
    assert result.chosen == "blend"
    totals = forecast_intervals(table, result).portfolio
    assert totals["expected"].between(totals["low_80"], totals["high_80"]).all()


def test_without_a_model_nothing_is_claimed():
    table = odd_customers("all one-timers")
    bounds = forecast_intervals(table, forecast(table, AS_OF))
    assert bounds.table.drop(columns="customer_id").isna().all(axis=None)
    assert bounds.portfolio[BOUNDS].isna().all(axis=None)
    assert bounds.n_futures == 0


@pytest.mark.parametrize("name", ["no churn", "identical"])
def test_bounds_of_odd_tables_are_finite(name):
    table = odd_customers(name)
    bounds = forecast_intervals(table, forecast(table, AS_OF, LifetimeRules(model="nbd")))
    assert np.isfinite(bounds.table.drop(columns="customer_id").to_numpy(dtype=float)).all()
    assert np.isfinite(bounds.portfolio[BOUNDS].to_numpy()).all()


def test_repeats_give_the_same_bytes_and_leave_the_input_alone(portfolio, found):
    table, result = portfolio
    before = table.copy(), result.table.copy()
    again = forecast_intervals(table, result)
    pd.testing.assert_frame_equal(again.table, found.table, check_exact=True)
    pd.testing.assert_frame_equal(again.portfolio, found.portfolio, check_exact=True)
    pd.testing.assert_frame_equal(table, before[0])
    pd.testing.assert_frame_equal(result.table, before[1])
    other = forecast_intervals(table, result, seed=2).portfolio
    assert other.loc[0, "high_80"] == pytest.approx(again.portfolio.loc[0, "high_80"], rel=0.03)


def test_memory_does_not_grow_with_the_customers():
    tenure, orders = simulated(1500, 9)
    one = table_as_of(tenure, orders)
    many = pd.concat([one] * 20, ignore_index=True).assign(customer_id=lambda t: t.index.astype(str))
    result = forecast(many, AS_OF, LifetimeRules(model="pareto_nbd"))
    tracemalloc.start()
    forecast_intervals(many, result)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 150e6  # 333 futures of 30,000 customers, in two numbers, would be 160 MB and more while sorted

"""Lifetime value: closed forms, limits, odd data, calendar, spend and the choice by holdout."""

import datetime as dt
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import integrate

from custvalue.errors import AnalysisError, DataError, UsageError
from custvalue.lifetime import (
    MODELS,
    NAIVE_RULES,
    Fitted,
    LifetimeRules,
    cutoff_day,
    fit,
    fit_best,
    fit_spend,
    forecast,
    grouped_rows,
    holdout_scores,
    verdict,
)
from custvalue.lifetime.fitting import model_inputs
from custvalue.lifetime.forecasts import month_ends
from custvalue.lifetime.quadrature import beta_rule, decay_integral
from custvalue.lifetime.spend import value_rate

AS_OF = pd.Timestamp("2024-06-30")
EXAMPLES = {
    "bg_nbd": Fitted("bg_nbd", {"r": 0.24, "alpha": 4.4, "a": 0.8, "b": 2.4}),
    "mbg_nbd": Fitted("mbg_nbd", {"r": 0.52, "alpha": 6.2, "a": 0.9, "b": 1.6}),
    "pareto_nbd": Fitted("pareto_nbd", {"r": 0.55, "alpha": 10.6, "s": 0.6, "beta": 11.7}),
}
every_model = pytest.mark.parametrize("model", MODELS)


def customers_of(x, t_x_days, tenure_days, order_value=20.0, margin=np.nan):
    """A customer table from day counts, every order of the same value."""
    table = pd.DataFrame({"n_repeats": x, "tenure_days": tenure_days}).reset_index(drop=True)
    table["customer_id"] = table.index.astype(str)
    table["first_order"] = AS_OF - pd.to_timedelta(table["tenure_days"], unit="D")
    table["last_order"] = table["first_order"] + pd.to_timedelta(np.asarray(t_x_days), unit="D")
    table["n_orders"] = table["n_repeats"] + 1
    table["sales"] = table["n_orders"] * order_value
    table["repeat_sales"] = table["n_repeats"] * order_value
    return table.assign(returns=0.0, mean_order_value=order_value, margin=margin)


def simulated(n, seed, days=730, churn=True, r=0.6, alpha=8.0):
    """Pareto/NBD customers: purchase days and first days; r, alpha, s = 0.9, beta = 20 weeks."""
    rng = np.random.default_rng(seed)
    rate, tenure = rng.gamma(r, 1 / alpha, n), rng.integers(1, days, n)
    life = rng.exponential(1 / rng.gamma(0.9, 1 / 20, n)) if churn else np.full(n, np.inf)
    weeks = np.minimum(life, tenure / 7)
    orders = [
        np.unique(np.ceil(7 * w * rng.random(rng.poisson(k * w)))) for k, w in zip(rate, weeks, strict=True)
    ]
    return tenure, orders


def table_as_of(tenure, orders, day=0):
    """The customer table ``day`` days before the end."""
    seen = [o[o <= t - day] for t, o in zip(tenure, orders, strict=True)]
    table = customers_of([len(o) for o in seen], [o.max() if len(o) else 0 for o in seen], tenure - day)
    return table[table["tenure_days"] >= 0]


# --- closed forms and limits


@every_model
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
    expected = Fitted("pareto_nbd", q).orders_if_alive(3, 30, 52)
    assert expected == pytest.approx([3.5 / 40 * 42 * np.log((42 + 52) / 42)], rel=1e-12)


def test_pareto_probabilities_against_direct_integration():
    q = EXAMPLES["pareto_nbd"].parameters
    r, alpha, s, beta = q.values()
    x, t_x, T = 4, 18.0, 40.0

    def gone(u):
        return s * beta**s / (alpha + u) ** (r + x) / (beta + u) ** (s + 1)

    def next_order(u):
        return (
            (r + x)
            / (alpha + T)
            * ((alpha + T) / (alpha + T + u)) ** (r + x + 1)
            * ((beta + T) / (beta + T + u)) ** s
        )

    alive = beta**s / (alpha + T) ** (r + x) / (beta + T) ** s
    p_alive = alive / (alive + integrate.quad(gone, t_x, T, epsabs=0)[0])
    assert EXAMPLES["pareto_nbd"].p_alive(x, t_x, T) == pytest.approx(p_alive, rel=1e-9)
    p_order = p_alive * integrate.quad(next_order, 0, 52)[0]
    assert EXAMPLES["pareto_nbd"].p_order(x, t_x, T, 52) == pytest.approx(p_order, rel=1e-9)


@every_model
def test_without_drop_out_all_models_are_the_nbd(model):
    rates = {"r": 0.5, "alpha": 8.0}
    gone = {"s": 1e-5, "beta": 1e3} if model == "pareto_nbd" else {"a": 1e-5, "b": 1e3}
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
        from custvalue.lifetime.models import FAMILIES

        one = FAMILIES[model].log_likelihood(fitted.parameters, np.array([x]), np.array([t_x]), np.array([T]))
        # x - 1 purchases lie anywhere before the last
        return np.exp(one[0]) * (t_x ** (x - 1) / np.exp(np.log(np.arange(1, x)).sum()) if x else 1.0)

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
    names = list(EXAMPLES[model].parameters)
    for other in (1e-4, 0.7, 5e3):
        q = {name: size if i % 2 else other for i, name in enumerate(names)}
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


def _odd(name):
    rng = np.random.default_rng(1)
    if name == "one customer":
        return customers_of([3], [100], [200])
    if name == "three customers":
        return customers_of([0, 2, 5], [0, 70, 210], [280, 266, 245])
    if name == "all one-timers":
        return customers_of([0] * 30, [0] * 30, rng.integers(0, 400, 30))
    if name == "identical":
        return customers_of([4] * 40, [280] * 40, [364] * 40)
    if name == "no churn":
        return table_as_of(*simulated(300, 2, churn=False))
    x = rng.integers(0, 401, 60)
    return customers_of(x, np.where(x > 0, rng.integers(400, 460, 60), 0), [460] * 60)


@every_model
@pytest.mark.parametrize(
    "name", ["one customer", "three customers", "all one-timers", "identical", "no churn", "frequent buyers"]
)
def test_odd_data_end_in_finite_numbers(name, model):
    table = _odd(name)
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
    table = _odd("no churn")
    inputs = model_inputs(table)
    found = fit_best(grouped_rows(table), ["bg_nbd"])
    expected = found.expected_orders(inputs["x"], inputs["t_x"], inputs["T"], 52).sum()
    naive = Fitted("past_rate").expected_orders(inputs["x"], inputs["t_x"], inputs["T"], 52).sum()
    whole_rate = inputs["x"].sum() / inputs["T"].sum() * 52 * len(table)
    assert min(naive, whole_rate) * 0.85 < expected < max(naive, whole_rate) * 1.15


def test_nobody_bought_twice():
    rows = grouped_rows(_odd("all one-timers"))
    with pytest.raises(AnalysisError, match="bg_nbd could not be fitted to 30 customers") as caught:
        fit(rows, "bg_nbd")
    assert caught.value.values == {"model": "bg_nbd", "n": 30}
    assert fit_best(rows).notes == ("bg_nbd_failed", "mbg_nbd_failed", "pareto_nbd_failed")


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


# --- spend


def spenders(n, seed, p=6.0, q=4.0, v=15.0):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 12, n)
    mean = rng.gamma(p * np.maximum(x, 1), 1 / (rng.gamma(q, 1 / v, n) * np.maximum(x, 1)))
    return pd.DataFrame(
        {"n_repeats": x, "repeat_sales": np.where(x > 0, x * mean, 0.0), "mean_order_value": mean}
    )


def test_simulated_spend_comes_back():
    model = fit_spend(spenders(4000, 5))
    assert model.kind == "gamma_gamma"
    assert (model.parameters["p"], model.parameters["q"]) == pytest.approx((6.0, 4.0), rel=0.1)
    assert model.population_mean == pytest.approx(6 * 15 / 3, rel=0.03)
    assert abs(model.correlation) < 0.05


def test_money_of_any_size_gives_the_same_model():
    small, large = fit_spend(spenders(500, 6)), fit_spend(spenders(500, 6) * [1, 1e6, 1e6])
    assert large.population_mean == pytest.approx(1e6 * small.population_mean, rel=1e-6)
    assert large.weight_orders == pytest.approx(small.weight_orders, rel=1e-6)


def test_spend_without_a_finite_mean_is_shrunk_instead():
    table = spenders(800, 7, q=0.6)
    model = fit_spend(table)
    assert model.kind == "shrunk_mean"
    assert model.notes in {("spend_without_mean",), ("spend_mean_far_off",)}
    own = (table["repeat_sales"] / table["n_repeats"])[table["n_repeats"] > 0]
    assert model.population_mean == pytest.approx(own.mean())
    assert model.expected_spend([0, 1], [np.nan, 3 * own.mean()]) == pytest.approx(
        [own.mean(), 2 * own.mean()]
    )


@pytest.mark.parametrize(
    ("repeats", "sales"),
    [([0, 0], [0.0, 0.0]), ([2, 0], [60.0, 0.0]), ([2, 3], [60.0, 90.0]), ([2, 1], [-9.0, 0.0])],
)
def test_spend_of_too_few_or_equal_buyers_is_finite(repeats, sales):
    table = pd.DataFrame({"n_repeats": repeats, "repeat_sales": sales, "mean_order_value": [30.0, 30.0]})
    model = fit_spend(table)
    assert model.expected_spend([0, 5], [np.nan, 30.0]).tolist() == [30.0, 30.0]


def test_margin_rate_is_drawn_to_the_shops():
    table = pd.DataFrame(
        {
            "sales": [100.0, 300.0, -5.0],
            "returns": [0.0, 0.0, 5.0],
            "margin": [50.0, 30.0, np.nan],
            "n_orders": [1, 3, 1],
        }
    )
    order, overall = 400 / 5, 80 / 400
    expected = [(50 + order * overall) / (100 + order), (30 + order * overall) / (300 + order), overall]
    assert value_rate(table, "margin").to_numpy() == pytest.approx(expected)


def test_what_comes_back_is_not_kept():
    table = pd.DataFrame({"sales": [50.0], "returns": [50.0], "margin": [20.0], "n_orders": [2]})
    assert value_rate(table, "sales").tolist() == [0.5]
    assert value_rate(table, "margin").tolist() == [0.2]


@pytest.mark.parametrize("value_is", ["sales", "margin"])
def test_refunds_only_give_finite_rates(value_is):
    table = pd.DataFrame(
        {"sales": [-5.0, 0.0], "returns": [0.0, np.nan], "margin": [-5.0, 0.0], "n_orders": [1, 1]}
    )
    assert np.isfinite(value_rate(table, value_is)).all()


# --- the forecast


@pytest.mark.parametrize(
    ("as_of", "first", "last"),
    [
        ("2024-01-31", "2024-02-29", "2025-01-31"),
        ("2023-02-28", "2023-03-31", "2024-02-29"),
        ("2024-02-29", "2024-03-31", "2025-02-28"),
        ("2024-01-30", "2024-02-29", "2025-01-30"),
        ("2024-06-15", "2024-07-15", "2025-06-15"),
    ],
)
def test_months_are_calendar_months(as_of, first, last):
    ends = month_ends(pd.Timestamp(as_of), 12)
    assert (ends[0], ends[-1]) == (pd.Timestamp(first), pd.Timestamp(last))
    assert ends.is_monotonic_increasing
    assert ends.is_unique


@pytest.fixture(scope="module")
def two_dates():
    tenure, orders = simulated(1500, 8)
    return table_as_of(tenure, orders, 180), table_as_of(tenure, orders)


@pytest.fixture(scope="module")
def result(two_dates):
    return forecast(two_dates[1].assign(margin=lambda t: 0.25 * t["sales"]), AS_OF)


def test_table_and_months_add_up(two_dates, result):
    before = two_dates[1].copy()
    table, monthly = result.table, result.monthly
    assert table["customer_id"].tolist() == before["customer_id"].tolist()
    assert table.columns.tolist() == [
        "customer_id",
        "p_alive",
        "expected_orders_12m",
        "p_order_12m",
        "expected_spend",
        "clv_12m",
    ]
    assert table.notna().all(axis=None)
    assert monthly["expected_orders"].sum() == pytest.approx(table["expected_orders_12m"].sum())
    assert monthly["clv"].sum() == pytest.approx(table["clv_12m"].sum())
    assert monthly["month_end"].iloc[[0, -1]].dt.strftime("%Y-%m-%d").tolist() == ["2024-07-31", "2025-06-30"]
    assert (monthly["expected_orders"].div(monthly["month_end"].dt.days_in_month).diff().dropna() < 0).all()
    assert result.value_is == "margin"
    assert set(result.fitted) == set(MODELS)
    assert result.scores.empty


def test_expected_orders_are_those_of_the_model_over_the_real_days(two_dates, result):
    inputs = model_inputs(two_dates[1])
    weeks = (pd.Timestamp("2025-06-30") - AS_OF).days / 7
    model = result.fitted[result.chosen]
    exact = model.expected_orders(inputs["x"], inputs["t_x"], inputs["T"], weeks)
    assert result.table["expected_orders_12m"].to_numpy() == pytest.approx(exact)


def test_value_of_equal_orders_is_orders_times_margin_discounted_from_mid_month(result):
    # every order is worth 20, a quarter of it margin
    assert result.table["expected_spend"].tolist() == pytest.approx([20.0] * len(result.table))
    ends = result.monthly["month_end"]
    starts = ends.shift(1).fillna(AS_OF)
    middle = ((ends - AS_OF).dt.days + (starts - AS_OF).dt.days) / 2
    expected = result.monthly["expected_orders"] * 5.0 / 1.1 ** (middle / 365)
    assert result.monthly["clv"].to_numpy() == pytest.approx(expected.to_numpy())
    assert (result.monthly["expected_sales"] / result.monthly["expected_orders"]).round(9).eq(20).all()


def test_p_alive_does_not_come_from_bg(two_dates):
    found = forecast(two_dates[1], AS_OF.date(), LifetimeRules(model="bg_nbd"))
    assert (found.chosen, found.p_alive_model, found.value_is) == ("bg_nbd", "pareto_nbd", "sales")
    one_time = two_dates[1]["n_repeats"].eq(0) & two_dates[1]["tenure_days"].gt(365)
    assert found.table.loc[one_time.to_numpy(), "p_alive"].max() < 0.9


def test_without_evidence_the_likeliest_model_forecasts(result):
    likelihoods = {model: fitted.log_likelihood for model, fitted in result.fitted.items()}
    assert result.chosen == max(likelihoods, key=likelihoods.get)


def test_the_holdout_chooses_the_model(two_dates):
    scores = holdout_scores(*two_dates, 180)
    scores["chosen"] = scores["model"] == "mbg_nbd"
    assert forecast(two_dates[1], AS_OF, scores=scores).chosen == "mbg_nbd"


def test_input_is_left_alone(two_dates):
    table = two_dates[1]
    before = table.copy()
    forecast(table, AS_OF)
    pd.testing.assert_frame_equal(table, before)


def test_repeats_give_the_same_bytes(two_dates):
    first, second = (forecast(two_dates[1], AS_OF).table for _ in range(2))
    pd.testing.assert_frame_equal(first, second, check_exact=True)


def test_forecast_of_odd_tables_is_finite():
    for name in ("one customer", "all one-timers"):
        found = forecast(_odd(name), AS_OF)
        assert found.table.notna().all(axis=None)
    assert found.chosen == found.p_alive_model == "past_rate"
    assert "pareto_nbd_failed" in found.notes


def test_forecast_refuses_an_empty_table_and_another_day(two_dates):
    with pytest.raises(DataError, match="customer table is empty"):
        forecast(two_dates[1].head(0), AS_OF)
    with pytest.raises(DataError, match="as of 2024-06-29, but the customer table was made as of 2024-06-30"):
        forecast(two_dates[1], AS_OF - pd.Timedelta(1, "D"))


# --- holdout and verdict


def test_newcomers_are_left_out_and_counted(two_dates):
    early, late = two_dates
    scores = holdout_scores(early, late, 180)
    assert (scores["n_customers"] == len(early)).all()
    assert (scores["n_new"] == len(late) - len(early)).all()
    kept = late[late["customer_id"].isin(early["customer_id"])]
    assert (scores["actual"] == kept["n_repeats"].sum() - early["n_repeats"].sum()).all()
    assert scores["model"].tolist() == [*MODELS, *NAIVE_RULES]
    assert scores.loc[scores["chosen"], "model"].isin(MODELS).tolist() == [True]
    assert len(early) < len(late)


def test_models_are_right_about_customers_of_their_own_kind(two_dates):
    scores = holdout_scores(*two_dates, 180).set_index("model")
    assert abs(scores.loc["pareto_nbd", "bias"]) < 0.12
    assert verdict(scores.reset_index())["code"] == "good"


def test_an_order_of_the_customers_says_nothing(two_dates):
    early, late = two_dates
    shuffled = late.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(holdout_scores(early, late, 180), holdout_scores(early, shuffled, 180))


def test_a_named_model_is_chosen(two_dates):
    scores = holdout_scores(*two_dates, 180, LifetimeRules(model="bg_nbd"))
    assert scores.loc[scores["chosen"], "model"].tolist() == ["bg_nbd"]


def test_holdout_of_one_timers_falls_back_to_the_past_rate():
    table = _odd("all one-timers")
    scores = holdout_scores(table, table, 60)
    assert scores.loc[scores["chosen"], "model"].tolist() == ["past_rate"]
    assert scores.loc[scores["model"].isin(MODELS), "mae"].isna().all()
    assert verdict(scores)["code"] == "do_not_use"


def test_tables_of_other_orders_are_refused(two_dates):
    early, late = two_dates
    with pytest.raises(DataError, match="1 customers of the early table are missing"):
        holdout_scores(early, late[late["customer_id"] != early["customer_id"].iloc[0]], 180)
    with pytest.raises(DataError, match="fewer orders there"):
        holdout_scores(late, early.assign(n_repeats=0), 180)


@pytest.mark.parametrize(
    ("bias", "brier", "mae", "code"),
    [
        (0.14, 0.15, 0.9, "good"),
        (-0.2, 0.15, 0.9, "with_care"),
        (0.1, 0.205, 0.9, "with_care"),
        (0.1, 0.15, 1.1, "with_care"),
        (0.5, 0.15, 0.9, "do_not_use"),
        (0.1, 0.3, 0.9, "do_not_use"),
        (0.1, 0.15, 1.3, "do_not_use"),
        (np.nan, 0.15, 0.9, "do_not_use"),
    ],
)
def test_verdict(bias, brier, mae, code):
    row = {"model": "bg_nbd", "chosen": True, "bias": bias, "brier": brier, "mae": mae, "base_rate": 0.3}
    naive = [
        {**row, "model": name, "chosen": False, "mae": value}
        for name, value in [("zero", 1.0), ("past_rate", 2)]
    ]
    found = verdict(pd.DataFrame([row, *naive]))
    assert found["code"] == code
    assert found["best_naive"] == "zero"
    assert found["mae_ratio"] == mae
    assert found["brier_skill"] == pytest.approx(1 - brier / 0.21)


@pytest.mark.parametrize(("history", "held"), [(545, 182), (3000, 365), (60, 28), (56, 28)])
def test_automatic_holdout(history, held):
    day = dt.date(2024, 6, 30)
    table = pd.DataFrame({"first_order": [pd.Timestamp(day) - pd.Timedelta(history, "D")]})
    assert (day - cutoff_day(table, day)).days == held


def test_history_too_short_for_a_holdout():
    day = dt.date(2024, 6, 30)
    table = pd.DataFrame({"first_order": [pd.Timestamp("2024-06-01")]})
    assert cutoff_day(table, day) is None
    with pytest.raises(DataError, match="at most 1, or 0"):
        cutoff_day(table, day, LifetimeRules(holdout_days=20))


def test_rules_refuse_nonsense():
    with pytest.raises(UsageError, match="model is bgnbd"):
        LifetimeRules(model="bgnbd")
    with pytest.raises(UsageError, match="horizon_months is 0; it can be 1 to 120"):
        LifetimeRules(horizon_months=0)
    with pytest.raises(UsageError, match="discount_rate is -0.1"):
        LifetimeRules(discount_rate=-0.1)

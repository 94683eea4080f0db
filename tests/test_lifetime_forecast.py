"""Lifetime value: spend, calendar, forecast, holdout and verdict."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from lifetime_customers import AS_OF, odd_customers, simulated, table_as_of

from custvalue.errors import DataError, UsageError
from custvalue.lifetime import (
    MODELS,
    NAIVE_RULES,
    LifetimeRules,
    cutoff_day,
    fit_spend,
    forecast,
    holdout_scores,
    verdict,
)
from custvalue.lifetime.blend import Weights
from custvalue.lifetime.fitting import model_inputs
from custvalue.lifetime.forecasts import histories, month_ends
from custvalue.lifetime.spend import value_rate

# --- spend


def spenders(n, seed, p=6.0, q=4.0, v=15.0):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 12, n)
    mean = rng.gamma(p * np.maximum(x, 1), 1 / (rng.gamma(q, 1 / v, n) * np.maximum(x, 1)))
    return pd.DataFrame({"n_repeats": x, "repeat_sales": np.where(x > 0, x * mean, 0.0), "mean_order_value": mean})


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
    assert model.expected_spend([0, 1], [np.nan, 3 * own.mean()]) == pytest.approx([own.mean(), 2 * own.mean()])


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
    table = pd.DataFrame({"sales": [-5.0, 0.0], "returns": [0.0, np.nan], "margin": [-5.0, 0.0], "n_orders": [1, 1]})
    rates = value_rate(table, value_is)
    assert rates.between(-1 if value_is == "margin" else 0, 1).all()


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
        "clv_12m",
        "expected_spend",
        "clv_life",
        "value_if_stays_12m",
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


def test_another_horizon_has_columns_of_its_own(two_dates, result):
    table = two_dates[1].assign(margin=lambda t: 0.25 * t["sales"])
    short, long = (forecast(table, AS_OF, LifetimeRules(horizon_months=months)) for months in (6, 30))
    for other, months in ((short, 6), (long, 30)):
        pd.testing.assert_frame_equal(other.table[result.table.columns], result.table)
        assert len(other.monthly) == months
        assert other.monthly["expected_orders"].sum() == pytest.approx(other.table["expected_orders_horizon"].sum())
        assert other.monthly["clv"].sum() == pytest.approx(other.table[other.value_column].sum())
        assert other.orders_column == "expected_orders_horizon"
    pd.testing.assert_frame_equal(short.monthly, result.monthly.head(6))
    year = result.table["clv_12m"]
    assert (short.table["clv_horizon"] <= year).all()
    assert (year <= long.table["clv_horizon"]).all()
    assert (long.table["clv_horizon"] <= long.table["clv_life"] * (1 + 1e-3)).all()
    assert (short.table["p_order_horizon"] <= short.table["p_order_12m"]).all()


def test_value_for_life_is_the_sum_of_a_hundred_years(two_dates, result):
    inputs = model_inputs(two_dates[1])
    model, weeks = result.fitted[result.chosen], np.arange(0, 100 * 365, 73) / 7
    until = model.expected_orders(inputs["x"], inputs["t_x"], inputs["T"], weeks[1:])
    orders = np.diff(until.sum(axis=0), prepend=0)
    middle = (weeks[1:] + weeks[:-1]) / 2 * 7 / 365
    assert result.table["clv_life"].sum() == pytest.approx((orders * 5.0 / 1.1**middle).sum(), rel=1e-3)


def test_without_discount_life_has_no_value(two_dates):
    found = forecast(two_dates[1], AS_OF, LifetimeRules(model="pareto_nbd", discount_rate=0.0))
    assert found.table["clv_life"].isna().all()
    assert "life_needs_discount" in found.notes
    assert found.table["clv_12m"].notna().all()


def test_a_model_without_leaving_says_so(two_dates):
    found = forecast(two_dates[1], AS_OF, LifetimeRules(model="nbd"))
    assert "life_without_churn" in found.notes
    assert found.table["clv_life"].isna().all()
    assert found.table["clv_12m"].notna().all()


def test_retention_cost_is_paid_while_a_customer_is_active(two_dates):
    free, dear = (
        forecast(two_dates[1], AS_OF, LifetimeRules(model="nbd", retention_cost=cost)) for cost in (0.0, 10.0)
    )
    # nobody leaves in the NBD: each customer costs 10 a year, discounted from the middle of each month
    year = (free.table["clv_12m"] - dear.table["clv_12m"]).to_numpy()
    assert year == pytest.approx(10 * 1.1**-0.5, rel=2e-3)
    months = free.monthly["clv"] - dear.monthly["clv"]
    assert months.sum() == pytest.approx(year.sum())


def test_customers_who_left_cost_nothing(two_dates):
    free, dear = (
        forecast(two_dates[1], AS_OF, LifetimeRules(model="pareto_nbd", retention_cost=cost)) for cost in (0.0, 10.0)
    )
    paid = (free.table["clv_12m"] - dear.table["clv_12m"]) / 10
    assert (paid <= free.table["p_alive"] + 1e-9).all()
    # in the Pareto/NBD a customer who is active now still is after u weeks with ((beta + T) / (beta + T + u)) ** s
    q, weeks = free.fitted["pareto_nbd"].parameters, (np.arange(365) + 0.5) / 7
    start = q["beta"] + two_dates[1]["tenure_days"].to_numpy()[:, None] / 7
    active = ((start / (start + weeks)) ** q["s"] * 1.1 ** (-weeks * 7 / 365)).mean(axis=1)
    assert paid.to_numpy() == pytest.approx(free.table["p_alive"] * active, rel=1e-3)


def test_a_blend_lies_between_its_parts(two_dates):
    table, rules = two_dates[1], LifetimeRules(model="blend")
    plain, half = (forecast(table, AS_OF, rules, weights=Weights(orders=w)) for w in (0.0, 0.5))
    model = forecast(table, AS_OF, LifetimeRules(model="pareto_nbd"))
    assert (plain.chosen, half.chosen) == ("blend", "blend")
    assert plain.table["clv_12m"].to_numpy() == pytest.approx(model.table["clv_12m"].to_numpy())
    assert plain.table["clv_life"].to_numpy() == pytest.approx(model.table["clv_life"].to_numpy())
    past = table["n_repeats"] / table["tenure_days"] * 365
    expected = (model.table["expected_orders_12m"].to_numpy() + past.to_numpy()) / 2
    assert half.table["expected_orders_12m"].to_numpy() == pytest.approx(expected)
    # beyond the first year the past rate counts for nothing
    added = half.table["clv_life"] - model.table["clv_life"]
    assert added.to_numpy() == pytest.approx((half.table["clv_12m"] - model.table["clv_12m"]).to_numpy(), abs=1e-9)


def test_equal_histories_have_equal_rows(two_dates):
    h = histories(two_dates[1])
    inputs = model_inputs(two_dates[1])
    assert h.n.sum() == len(two_dates[1])
    for name in ("x", "t_x", "T"):
        assert getattr(h, name)[h.row] == pytest.approx(inputs[name].to_numpy())
    assert h.total(np.ones(len(inputs))).tolist() == h.n.tolist()


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
        found = forecast(odd_customers(name), AS_OF)
        unknown = ["p_alive", "clv_life", "value_if_stays_12m"]
        assert found.table.drop(columns=unknown).notna().all(axis=None)
        assert found.table[unknown].isna().all(axis=None)
        assert "life_needs_model" in found.notes
        assert (found.chosen, found.p_alive_model, found.notes[0]) == ("past_rate", "", "too_few_repeat_buyers")


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
    table = odd_customers("all one-timers")
    scores = holdout_scores(table, table, 60)
    assert scores.loc[scores["chosen"], "model"].tolist() == ["past_rate"]
    assert scores.loc[scores["model"].isin(MODELS), "mae"].isna().all()
    assert verdict(scores)["code"] == "unknown"


def test_tables_of_other_orders_are_refused(two_dates):
    early, late = two_dates
    with pytest.raises(DataError, match="1 customers of the early table are missing"):
        holdout_scores(early, late[late["customer_id"] != early["customer_id"].iloc[0]], 180)
    with pytest.raises(DataError, match="fewer orders there"):
        holdout_scores(late, early.assign(n_repeats=0), 180)


@pytest.mark.parametrize(
    ("bias", "brier", "rmse", "code"),
    [
        (0.14, 0.15, 0.9, "good"),
        (-0.2, 0.15, 0.9, "with_care"),
        (0.1, 0.205, 0.9, "with_care"),
        (0.1, 0.15, 1.05, "with_care"),
        (0.5, 0.15, 0.9, "do_not_use"),
        (0.1, 0.3, 0.9, "do_not_use"),
        (0.1, 0.15, 1.3, "do_not_use"),
    ],
)
def test_verdict(bias, brier, rmse, code):
    row = {"model": "bg_nbd", "chosen": True, "bias": bias, "brier": brier, "rmse": rmse, "mae": 0.7, "base_rate": 0.3}
    naive = [{**row, "model": m, "chosen": False, "rmse": value} for m, value in [("zero", 1.0), ("past_rate", 2)]]
    found = verdict(pd.DataFrame([row, *naive]))
    assert found["code"] == code
    assert found["best_naive"] == "zero"
    assert (found["rmse_ratio"], found["mae_ratio"]) == (rmse, 1.0)
    assert found["brier_skill"] == pytest.approx(1 - brier / 0.21)


def test_a_test_in_which_nobody_bought_gives_no_verdict():
    row = {"model": "bg_nbd", "chosen": True, "bias": np.nan, "brier": 0.1, "mae": 0.1, "base_rate": 0.0}
    found = verdict(pd.DataFrame([row]))
    assert (found["code"], np.isnan(found["bias"])) == ("unknown", True)


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
    with pytest.raises(UsageError, match=r"discount_rate is -0\.1"):
        LifetimeRules(discount_rate=-0.1)

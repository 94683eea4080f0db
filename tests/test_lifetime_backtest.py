"""Rolling-origin backtests: cut-offs, measures, blend, choice, verdict, tables, command line."""

import datetime as dt
import io

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from conftest import real_file
from lifetime_customers import simulated

import custvalue as cv
from custvalue.cli import main
from custvalue.config import load_settings
from custvalue.errors import DataError, UsageError
from custvalue.labels import labels
from custvalue.lifetime import MODELS, NAIVE_RULES, WHY, Fitted, LifetimeRules, Weights, backtest, choose, verdict
from custvalue.lifetime.backtest import cutoffs
from custvalue.lifetime.blend import blended, learn_weights
from custvalue.lifetime.history import as_number, history
from custvalue.lifetime.scores import by_frequency, lift_table, measures, reliability_table
from custvalue.lifetime.tracking import frequency_recency, tracking

END = dt.date(2024, 6, 30)


def purchases(tenure, orders, end=END):
    """Purchase days of simulated customers: the first day and every repeat."""
    rows = [(str(i), day) for i, days in enumerate(orders) for day in [0, *days]]
    table = pd.DataFrame(rows, columns=["customer_id", "day"])
    table["day"] += -pd.Series(tenure)[table["customer_id"].astype(int)].to_numpy()
    table["order_date"] = pd.Timestamp(end) + pd.to_timedelta(table["day"], unit="D")
    return table[["customer_id", "order_date"]]


@pytest.fixture(scope="module")
def days():
    return purchases(*simulated(1500, 8))


@pytest.fixture(scope="module")
def found(days):
    return backtest(days, END)


@pytest.fixture(scope="module")
def one(days):
    return backtest(days, END, cutoff=dt.date(2023, 12, 31))


# --- the history


def test_a_day_counts_once_and_gaps_are_those_between_purchases():
    table = pd.DataFrame({"customer_id": ["b", "a", "b", "b", "b"], "order_date": "2024-01-01"})
    table["order_date"] = pd.to_datetime(["2024-01-01", "2024-01-05", "2024-01-11", "2024-01-11", "2024-03-01"])
    customers = history(table).customers(as_number(dt.date(2024, 2, 1)))
    assert customers["n_repeats"].tolist() == [0, 1]
    assert customers["tenure_days"].tolist() == [27, 31]
    assert customers["sum_log_gaps"].tolist() == pytest.approx([0, np.log(10)])
    assert customers["last_order"].dt.day.tolist() == [5, 11]


def test_the_history_is_the_customer_table_of_the_engine(sample):
    orders = cv.read(sample, cv.load_settings(clean={"cancelled_orders": "keep"}))
    day = dt.date(2024, 12, 31)
    table = cv.customer_table(orders, day)
    known = history(cv.purchase_days(orders))
    ours = known.customers(as_number(day)).assign(customer_id=lambda t: known.ids.to_numpy()[t["customer"]])
    shared = ["customer_id", "first_order", "last_order", "n_repeats", "tenure_days", "sum_log_gaps"]
    pd.testing.assert_frame_equal(ours[shared], table[shared], check_dtype=False)


# --- cut-offs


@pytest.mark.parametrize(("history_days", "n"), [(40, 0), (56, 1), (546, 3), (1095, 3), (1277, 3), (5000, 4)])
def test_as_many_cutoffs_as_the_history_allows(history_days, n):
    cuts = cutoffs(0, history_days)
    assert len(cuts) == n
    holdout = history_days - cuts[0] if cuts else 0
    assert all(cut >= min(holdout, 28) for cut in cuts)
    assert all(early + holdout <= history_days for early in cuts)
    assert cuts == sorted(cuts, reverse=True)


def test_a_wished_holdout_is_kept_at_every_cutoff():
    cuts = cutoffs(0, 373, LifetimeRules(holdout_days=90))
    assert [373 - cut for cut in cuts] == [90, 135, 180, 225]


def test_cutoffs_outside_the_data_are_refused(days):
    with pytest.raises(UsageError, match="leaves nothing to test: the data end on 2024-06-30"):
        backtest(days, END, cutoff=END)
    first = days["order_date"].min().date()
    with pytest.raises(DataError, match=f"too little to learn from: the first purchase is of {first}"):
        backtest(days, END, cutoff=first + dt.timedelta(27))


def test_a_short_history_gives_empty_tables():
    table = pd.DataFrame({"customer_id": ["a", "b"], "order_date": pd.to_datetime(["2024-06-01", "2024-06-20"])})
    short = backtest(table, END)
    assert (len(short.scores), len(short.pooled), short.cutoff, short.why) == (0, 0, None, "")
    assert short.verdict["code"] == "unknown"


# --- one cut-off


def test_every_model_the_blend_and_every_rule_is_scored(one):
    assert one.scores["model"].tolist() == [*MODELS, "blend", *NAIVE_RULES]
    assert one.scores["chosen"].sum() == 1
    assert one.why in WHY
    assert {f"why_{why}" for why in WHY} <= set(cv.labels.catalogue("findings"))


def test_orders_are_counted_and_newcomers_apart(days, one):
    after = days[days["order_date"] > pd.Timestamp("2023-12-31")]
    known = set(days.loc[days["order_date"] <= pd.Timestamp("2023-12-31"), "customer_id"])
    row = one.scores.iloc[0]
    assert row["actual"] == after["customer_id"].isin(known).sum() == one.customers["actual"].sum()
    assert row["orders_new"] == (~after["customer_id"].isin(known)).sum()
    assert row["n_new"] == after.loc[~after["customer_id"].isin(known), "customer_id"].nunique()
    assert row["n_customers"] == len(known)


def test_the_future_changes_no_forecast(days, one):
    """Other orders after the cut-off: the same parameters, weights and forecasts, to the last bit."""
    cut = pd.Timestamp("2023-12-31")
    other = days[(days["order_date"] <= cut) | (days["customer_id"].astype(int) % 3 == 0)]
    changed = backtest(other, END, cutoff=cut.date())
    assert changed.scores["actual"].iloc[0] < one.scores["actual"].iloc[0]
    assert changed.scores["forecast"].tolist() == one.scores["forecast"].tolist()
    assert changed.fitted["blend"].weights == one.fitted["blend"].weights
    assert changed.fitted["pareto_nbd"].parameters == one.fitted["pareto_nbd"].parameters


def test_the_order_of_rows_says_nothing(days, one):
    again = backtest(days.sample(frac=1, random_state=3), END, cutoff=dt.date(2023, 12, 31))
    pd.testing.assert_frame_equal(again.scores, one.scores)
    pd.testing.assert_frame_equal(again.customers, one.customers)


# --- several cut-offs


def test_pooled_is_the_mean_over_the_cutoffs(found):
    rows = found.origins[found.origins["model"] == "bg_nbd"]
    pooled = found.pooled.set_index("model").loc["bg_nbd"]
    assert pooled["n_cutoffs"] == len(rows) == found.origins["cutoff"].nunique() == 3
    assert pooled["bias"] == pytest.approx(rows["forecast"].sum() / rows["actual"].sum() - 1)
    assert pooled["abs_bias"] == pytest.approx(rows["bias"].abs().mean())
    assert pooled["rmse"] == pytest.approx(rows["rmse"].mean())
    pd.testing.assert_frame_equal(found.scores, found.origins[found.origins["cutoff"] == found.origins["cutoff"].max()])


def test_models_are_right_about_customers_of_their_own_kind(found):
    pooled = found.pooled.set_index("model")
    assert found.verdict["code"] == "good"
    assert abs(pooled.loc["pareto_nbd", "bias"]) < 0.1
    assert pooled.loc[found.chosen, "rmse"] < 1.01 * pooled.loc["pareto_nbd", "rmse"]
    best_rule = pooled.loc[list(NAIVE_RULES)]
    assert pooled.loc[found.chosen, "rmse"] < best_rule["rmse"].min()
    assert pooled.loc[found.chosen, "brier"] < best_rule["brier"].min()


def test_nobody_came_back():
    table = pd.DataFrame({"customer_id": [str(i) for i in range(40)]})
    table["order_date"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(range(40), unit="D")
    found = backtest(table, END)
    assert (found.chosen, found.why, found.verdict["code"]) == ("past_rate", "no_model", "unknown")
    assert found.reliability["n_customers"].sum() == found.lift["n_customers"].sum() == 40
    assert found.lift["share_orders"].isna().all()
    assert (found.tracking["expected_total"] == 0).all()


# --- choice and verdict


def scored(**models):
    rows = [{"model": m, "rmse": r, "mae": r / 2, "bias": b, "brier": p} for m, (r, b, p) in models.items()]
    return pd.DataFrame(rows).assign(n_customers=10_000, actual=10_000)


@pytest.mark.parametrize(
    ("models", "rules", "expected"),
    [
        ({"bg_nbd": (1.0, -0.3, 0.2), "nbd": (1.02, 0.0, 0.1)}, {}, ("bg_nbd", "smallest_error")),
        ({"bg_nbd": (1.0, -0.3, 0.2), "nbd": (1.005, 0.1, 0.3)}, {}, ("nbd", "least_bias_of_equals")),
        ({"bg_nbd": (1.0, 0.109, 0.2), "nbd": (1.005, 0.1, 0.3)}, {}, ("bg_nbd", "best_of_equals")),
        ({"bg_nbd": (1.0, 0.1, 0.2), "nbd": (2.0, 0.5, 0.3)}, {"model": "nbd"}, ("nbd", "asked_for")),
        ({"bg_nbd": (np.nan,) * 3, "nbd": (2.0, 0.5, 0.3)}, {"model": "bg_nbd"}, ("nbd", "only_one")),
        ({"past_rate": (1.0, 0.1, 0.2), "nbd": (np.nan,) * 3}, {}, ("past_rate", "no_model")),
    ],
)
def test_choice_and_its_reason(models, rules, expected):
    """Chance moves the sum by 1 x sqrt(10,000) / 10,000 = 1%."""
    assert choose(scored(**models), LifetimeRules(**rules)) == expected


def test_the_true_model_is_trusted_where_hardly_anybody_returns():
    """The mean absolute error of "nobody buys" is smaller there than that of the truth."""
    days = purchases(*simulated(5000, 3, r=0.05, alpha=20.0))
    found = backtest(days, END, cutoff=dt.date(2023, 12, 31))
    assert found.verdict["mae_ratio"] > 1.05
    assert found.verdict["rmse_ratio"] <= 1
    assert found.verdict["code"] in {"good", "with_care"}


def test_few_orders_are_never_called_good_and_older_cutoffs_count():
    row = {"model": "bg_nbd", "chosen": True, "bias": 0.01, "brier": 0.1, "mae": 0.5, "rmse": 0.8, "base_rate": 0.3}
    rule = {**row, "model": "zero", "chosen": False, "rmse": 1.0}
    table = pd.DataFrame([row, rule])
    assert verdict(table.assign(actual=500))["code"] == "good"
    assert verdict(table.assign(actual=49))["code"] == "with_care"
    pooled = table.assign(actual=500, abs_bias=0.2)
    found = verdict(table.assign(actual=500), pooled=pooled)
    assert (found["code"], found["mean_bias"]) == ("with_care", 0.2)


# --- the blend


PARETO = Fitted("pareto_nbd", {"r": 0.55, "alpha": 10.6, "s": 0.61, "beta": 11.7})
NBD = Fitted("nbd", {"r": 0.4, "alpha": 12.0})


def test_a_blend_without_weights_is_its_model():
    x, t_x, T = np.array([0.0, 2.0, 7.0]), np.array([0.0, 30.0, 29.0]), np.array([39.0, 38.0, 35.0])
    mixed = blended(PARETO, NBD, Weights())
    assert mixed.expected_orders(x, t_x, T, 39).tolist() == PARETO.expected_orders(x, t_x, T, 39).tolist()
    assert mixed.p_order(x, t_x, T, 39).tolist() == PARETO.p_order(x, t_x, T, 39).tolist()
    assert mixed.life_orders(x, t_x, T, 0.002).tolist() == PARETO.life_orders(x, t_x, T, 0.002).tolist()


def test_a_blend_lies_between_what_it_mixes():
    x, t_x, T = np.array([0.0, 2.0, 7.0]), np.array([0.0, 30.0, 29.0]), np.array([39.0, 38.0, 35.0])
    mixed = blended(PARETO, NBD, Weights(0.25, 0.5))
    past = x / T * 39
    assert mixed.expected_orders(x, t_x, T, 39) == pytest.approx(
        0.75 * PARETO.expected_orders(x, t_x, T, 39) + 0.25 * past
    )
    p = mixed.p_order(x, t_x, T, 39)
    assert p == pytest.approx((PARETO.p_order(x, t_x, T, 39) + NBD.p_order(x, t_x, T, 39)) / 2)
    assert mixed.p_alive(x, t_x, T).tolist() == PARETO.p_alive(x, t_x, T).tolist()
    months = mixed.expected_orders(x, t_x, T, np.array([4.0, 39.0]))
    assert months.shape == (3, 2)


def test_draws_of_a_blend_have_its_mean():
    n = 40_000
    x, t_x, T = np.full(n, 3.0), np.full(n, 20.0), np.full(n, 39.0)
    mixed = blended(PARETO, NBD, Weights(0.4, 0.0))
    drawn = mixed.simulate_orders(x, t_x, T, 39.0, np.random.default_rng(2))
    expected = mixed.expected_orders(3, 20, 39, 39.0)[0]
    assert drawn.mean() == pytest.approx(expected, abs=4 * drawn.std() / np.sqrt(n))


def test_weights_are_near_zero_where_the_model_is_true(days):
    weights = learn_weights(history(days), as_number(END))
    assert weights.n_cutoffs == 2
    assert 0 <= weights.orders < 0.05
    assert 0 <= weights.buys < 0.1


def test_a_short_history_teaches_nothing(days):
    short = history(days.assign(order_date=pd.Timestamp("2024-01-01")))
    assert learn_weights(short, as_number(dt.date(2024, 1, 20))) == Weights()


# --- measures


def test_measures_against_closed_forms():
    rng = np.random.default_rng(4)
    actual, forecast, p = rng.poisson(1.0, 400).astype(float), rng.integers(0, 5, 400) / 2, rng.random(400)
    found = measures(actual, forecast, p)
    pairs = forecast[actual > 0][:, None] - forecast[actual == 0][None, :]
    assert found["auc"] == pytest.approx((pairs > 0).mean() + 0.5 * (pairs == 0).mean())
    assert found["spearman"] == pytest.approx(pd.Series(actual).corr(pd.Series(forecast), method="spearman"))
    assert found["rmse"] == pytest.approx(np.sqrt(np.square(forecast - actual).mean()))
    assert measures(actual, actual, p)["auc"] == 1.0
    constant = measures(actual, np.ones(400), np.full(400, (actual > 0).mean()))
    assert (constant["auc"], constant["top_decile_share"]) == pytest.approx((0.5, 0.1))
    assert np.isnan(constant["spearman"])
    share = found["base_rate"]
    assert constant["brier"] == pytest.approx(share * (1 - share))


def test_measures_of_nobody_buying_are_missing_not_wrong():
    found = measures(np.zeros(5), np.arange(5.0), np.full(5, 0.2))
    assert all(np.isnan(found[name]) for name in ("bias", "auc", "spearman", "top_decile_share"))
    assert found["brier"] == pytest.approx(0.04)


def test_reliability_of_true_probabilities_is_the_diagonal():
    rng = np.random.default_rng(5)
    p = rng.random(20_000)
    table = reliability_table(rng.random(20_000) < p, p)
    assert table["n_customers"].sum() == 20_000
    assert (table["share_bought"] - table["mean_p"]).abs().max() < 0.03
    assert table["share_bought"].between(table["share_low"], table["share_high"]).all()
    assert table["mean_p"].between(table["p_low"], table["p_high"]).all()
    assert reliability_table(np.array([1.0]), np.array([1.0]))["p_high"].tolist() == [1.0]


def test_lift_adds_up_and_ties_share():
    actual, forecast = np.array([3.0, 1.0, 0.0, 0.0]), np.array([1.0, 1.0, 1.0, 1.0])
    table = lift_table(actual, forecast, parts=4)
    assert table["actual"].tolist() == [1.0] * 4
    assert table["lift"].tolist() == [1.0] * 4
    assert table["cumulative_share"].iloc[-1] == pytest.approx(1.0)
    assert len(lift_table(np.ones(3), np.ones(3))) == 3


def test_by_frequency_keeps_the_means(one):
    table = one.frequency
    assert table["n_repeats"].tolist() == list(range(8))
    assert (table["n_customers"] * table["actual_mean"]).sum() == pytest.approx(one.customers["actual"].sum())
    assert (table["n_customers"] * table["forecast_mean"]).sum() == pytest.approx(one.customers["forecast"].sum())
    assert by_frequency(np.array([50]), np.array([1.0]), np.array([2.0]))["n_repeats"].tolist() == [7]


# --- tracking


def test_tracking_follows_customers_who_never_leave():
    """Nobody leaves and all buy at the same rate: expected is the rate times the customers there."""
    model = Fitted("nbd", {"r": 1e6, "alpha": 1e7})
    table = pd.DataFrame({"customer_id": ["a", "b", "b"], "order_date": ["2024-01-01", "2024-01-08", "2024-02-20"]})
    known = history(table.assign(order_date=pd.to_datetime(table["order_date"])))
    found = tracking(model, known, dt.date(2024, 1, 29), dt.date(2024, 3, 1))
    assert found["expected_orders"].tolist() == pytest.approx([0.1, *[0.2] * (len(found) - 1)])
    assert found["actual"].sum() == 1
    assert found.loc[found["actual"] == 1, "week_end"].dt.date.tolist() == [dt.date(2024, 2, 26)]
    assert found["period"].tolist() == ["fitted"] * 4 + ["held_out"] * 4


def test_tracking_counts_the_orders_of_the_scores(one):
    held = one.tracking[one.tracking["period"] == "held_out"]
    assert held["actual"].sum() <= one.scores["actual"].iloc[0]
    assert held["actual"].sum() == pytest.approx(one.scores["actual"].iloc[0], rel=0.05)
    fitted = one.tracking[one.tracking["period"] == "fitted"]
    assert fitted["expected_total"].iloc[-1] == pytest.approx(fitted["actual_total"].iloc[-1], rel=0.1)


def test_frequency_recency_falls_with_silence(one, days):
    table = frequency_recency(one.fitted["pareto_nbd"], history(days), dt.date(2023, 12, 31), 26)
    often = table[table["n_repeats"] == 5].dropna()
    assert (often["expected_orders"].diff().dropna() < 0).all()
    assert table.loc[table["n_repeats"] == 0, "expected_orders"].notna().sum() == 1
    assert table["n_customers"].sum() == len(one.customers)
    assert one.heat["n_repeats"].max() <= 11


# --- published and real data


@pytest.fixture(scope="module")
def cdnow():
    names = ["master", "customer_id", "order_date", "cds", "value"]
    rows = pd.read_csv(real_file("cdnow/CDNOW_sample.txt"), sep=r"\s+", header=None, names=names, dtype=str)
    table = rows.assign(order_date=pd.to_datetime(rows["order_date"]))
    return backtest(table[["customer_id", "order_date"]], dt.date(1998, 6, 30), cutoff=dt.date(1997, 9, 30))


def test_the_chosen_forecast_of_cdnow_is_better_than_any_single_model(cdnow):
    row = cdnow.scores[cdnow.scores["chosen"]].iloc[0]
    assert (row["model"], row["actual"], row["n_customers"]) == ("blend", 1882, 2357)
    assert row["mae"] <= 0.755
    assert -0.115 < row["bias"] < 0
    assert row["auc"] >= 0.779
    assert row["brier"] < 0.159
    assert cdnow.verdict["code"] == "good"


def test_tracking_of_cdnow_is_the_published_one(cdnow):
    """To week 78 Pareto/NBD expects 1.6% fewer repeat orders than came (Fader, Hardie & Lee 2005)."""
    last = cdnow.tracking.iloc[-1]
    assert last["expected_total"] / last["actual_total"] - 1 == pytest.approx(-0.016, abs=0.003)


def test_the_forecast_uses_the_choice_of_the_backtest(sample):
    settings = load_settings(data=sample)
    orders = cv.read(sample, settings)
    tested = cv.backtest_orders(orders, settings)
    forecast = cv.forecast_orders(orders, cv.customer_table(orders), settings, tested)
    assert forecast.chosen == tested.chosen == "pareto_nbd"
    pd.testing.assert_frame_equal(forecast.scores, tested.scores)
    assert forecast.fitted["blend"].weights == tested.weights


# --- the command


COLUMNS = "model,n_customers,actual,forecast,bias,mae,rmse,brier,auc,spearman,top_decile_share,chosen"


@pytest.fixture(scope="module")
def file(days, tmp_path_factory):
    path = tmp_path_factory.mktemp("backtest") / "orders.csv"
    days.assign(amount=10, order_date=days["order_date"].dt.strftime("%Y-%m-%d")).to_csv(path, index=False)
    return path


def run(*words):
    return CliRunner().invoke(main, ["backtest", *map(str, words)])


def test_the_command_prints_csv_and_nothing_else(file, days, one):
    done = run(file, "--cutoff", "2023-12-31", "--csv")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == COLUMNS
    table = pd.read_csv(io.StringIO(done.stdout))
    assert table["model"].tolist() == [*MODELS, "blend", *NAIVE_RULES]
    assert table["chosen"].tolist() == one.scores["chosen"].tolist()
    last = days["order_date"].max().date()
    same = backtest(days, last, cutoff=dt.date(2023, 12, 31)).scores
    for column in ("n_customers", "actual", "forecast", "brier", "auc", "spearman"):
        assert table[column].to_numpy() == pytest.approx(same[column].to_numpy(dtype=float), abs=1e-6, nan_ok=True)


def test_the_command_says_it_in_words(file):
    for language, words in (
        ("en", ("Hidden:", "is used because", "Good to use")),
        ("zh", ("隐去", "采用", "可以放心使用")),
    ):
        done = run(file, "--cutoff", "2023-12-31", "--language", language)
        assert done.exit_code == 0
        assert all(word in done.stdout for word in words)
        assert labels("model", language)["zero"] in done.stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--cutoff", "2030-01-01"], 2, "leaves nothing to test"),
        (["--cutoff", "2010-01-01"], 3, "too little to learn from"),
        (["--cutoff", "2023-2-30"], 2, "no day of the calendar"),
        (["--config", "nowhere.toml"], 2, "nowhere.toml"),
    ],
)
def test_the_command_refuses(file, words, code, said):
    done = run(file, *words)
    assert (done.exit_code, done.stdout) == (code, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_the_command_needs_a_history(tmp_path):
    path = tmp_path / "orders.csv"
    path.write_text("customer_id,order_date,amount\na,2024-01-01,5\nb,2024-01-20,5\n", "utf-8")
    done = run(path)
    assert done.exit_code == 3
    assert "at least 56 days" in done.stderr

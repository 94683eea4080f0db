"""Survival curves, one customer's history, and stages scored on what came later."""

import numpy as np
import pandas as pd
import pytest

from custvalue import churn, hindsight, lifetime, timelines
from custvalue.churn import STAGES, bought_again, confirmed, history, judged_calls, order_gaps
from custvalue.churn.survival import _spread
from custvalue.config import load_settings
from custvalue.customers import customer_table
from custvalue.errors import DataError, UsageError
from custvalue.lifetime import Fitted
from custvalue.pipeline import read
from custvalue.simulate import simulate
from custvalue.simulate.rules import Process
from custvalue.timelines import purchase_days

START = pd.Timestamp("2024-01-01")


def days_of(**customers):
    rows = [(name, START + pd.Timedelta(day, "D")) for name, days in customers.items() for day in days]
    return pd.DataFrame(rows, columns=["customer_id", "order_date"])


def test_gaps_end_with_an_open_one_for_every_customer():
    gaps = order_gaps(days_of(b=[0, 10, 40], a=[5]), "2024-02-20")
    assert gaps["customer_id"].tolist() == ["a", "b", "b", "b"]
    assert gaps["gap_days"].tolist() == [45, 10, 30, 10]
    assert gaps["observed"].tolist() == [False, True, True, False]
    assert gaps["place"].tolist() == [1, 1, 2, 3]
    early = order_gaps(days_of(b=[0, 10, 40], a=[5]), "2024-01-20")
    assert early["gap_days"].tolist() == [14, 10, 9]
    assert order_gaps(days_of(a=[5]), "2024-01-01").empty


def test_without_open_gaps_the_curve_counts():
    gaps = pd.DataFrame({"customer_id": list("abcde"), "gap_days": [1, 2, 2, 5, 9], "observed": True})
    shares = bought_again(gaps, days=(0, 1, 2, 8, 9))["share_again"]
    assert shares.tolist() == pytest.approx([0, 0.2, 0.6, 0.8, 1])
    assert bought_again(gaps, days=(9, 10))["within_days"].tolist() == [9]


def exponential(n, per_customer, seed=2, spread=0.0, end=60.0):
    """Exponential gaps of mean 30, customers differing by ``spread``, watched for ``end`` days each."""
    rng = np.random.default_rng(seed)
    mean = 30 * np.exp(spread * rng.standard_normal(n))
    gap = rng.exponential(np.repeat(mean, per_customer))
    who = np.repeat(np.arange(n), per_customer).astype(str)
    return pd.DataFrame({"customer_id": who, "gap_days": np.minimum(gap, end), "observed": gap < end})


def test_censored_exponential_gaps_give_the_exponential_curve():
    curve = bought_again(exponential(4000, 1), days=(10, 30, 50))
    truth = 1 - np.exp(-np.array([10, 30, 50]) / 30)
    assert curve["share_again"].to_numpy() == pytest.approx(truth, abs=0.025)
    assert ((curve["again_low"] < truth) & (truth < curve["again_high"])).all()


def test_one_gap_a_customer_has_the_width_of_greenwood():
    from scipy.stats import CensoredData, ecdf

    gaps = exponential(500, 1)
    fitted = ecdf(CensoredData.right_censored(gaps["gap_days"].to_numpy(), ~gaps["observed"].to_numpy())).sf
    high = fitted.confidence_interval(0.95, method="log-log").high
    for row in bought_again(gaps, days=(10, 30, 50)).itertuples():
        assert row.again_low == pytest.approx(1 - high.evaluate(row.within_days), abs=0.002)


def test_several_gaps_of_a_customer_count_as_one_for_the_width():
    gaps = exponential(200, 8, spread=0.8)
    rng, logs = np.random.default_rng(4), []
    parts = [part for _, part in gaps.groupby("customer_id")]
    for _ in range(100):
        again = pd.concat([parts[i] for i in rng.integers(0, len(parts), len(parts))])
        logs.append(np.log(1 - bought_again(again, days=(30,))["share_again"].iloc[0]))
    assert _spread(gaps, np.array([30]))[0] == pytest.approx(np.std(logs), rel=0.2)


def test_groups_keep_their_order_and_the_unknown_are_left_out():
    gaps = exponential(40, 1)
    group = pd.Categorical(["slow", "fast", None, "fast"] * 10, ["slow", "fast", "none"], ordered=True)
    table = pd.DataFrame({"customer_id": [str(i) for i in range(40)], "tempo": group})
    curves = bought_again(gaps, table, "tempo")
    assert list(curves["tempo"].unique()) == ["slow", "fast"]
    assert list(curves["tempo"].cat.categories) == ["slow", "fast", "none"]
    assert curves.groupby("tempo", observed=True)["n_gaps"].first().tolist() == [10, 20]
    assert bought_again(gaps.head(0), table, "tempo").empty
    assert bought_again(gaps.head(0)).empty
    with pytest.raises(UsageError, match="region"):
        bought_again(gaps, table, "region")


MODEL = Fitted("pareto_nbd", {"r": 0.55, "alpha": 10.6, "s": 0.6, "beta": 11.7})


def test_history_restarts_at_every_purchase_and_ends_with_the_forecasts_view():
    days = days_of(a=[0, 20, 27], b=[1])
    table = history(days, MODEL, "a", "2024-03-31")
    assert table["day"].iloc[[0, -1]].tolist() == [START, pd.Timestamp("2024-03-31")]
    assert table.loc[table["orders_of_day"] > 0, "day"].dt.day.tolist() == [1, 21, 28]
    assert table.loc[table["orders_of_day"] > 0, "p_alive"].tolist() == pytest.approx([1, 1, 1])
    assert table["p_alive"].iloc[-1] == MODEL.p_alive(2, 27 / 7, 90 / 7)[0]
    assert table["p_alive"].iloc[19] == MODEL.p_alive(0, 0, 19 / 7)[0]
    assert history(days.assign(n_orders=3), MODEL, "b", "2024-01-02")["orders_of_day"].tolist() == [3]


def test_history_of_an_unknown_customer():
    with pytest.raises(DataError, match="2024-01-01"):
        history(days_of(a=[5]), MODEL, "a", "2024-01-01")
    with pytest.raises(DataError, match="customer zz"):
        history(days_of(a=[5]), MODEL, "zz", "2024-02-01")


def judged(stage, silent, rhythm, next_day, after=0.0, prior=36.5, trend=0.5, days=90):
    customers = pd.DataFrame({"customer_id": ["a"], "days_since_last": [silent], "sales_prior_12m": [prior]})
    given = pd.DataFrame({"customer_id": ["a"], "rhythm_days": [rhythm], "trend": [trend]})
    given["stage"] = pd.Categorical([stage], STAGES, ordered=True)
    later = pd.DataFrame({"customer_id": ["a", "new"], "days_to_next": [next_day, 3], "sales_after": [after, 5.0]})
    calls = judged_calls(customers, given, later.astype({"days_to_next": "Int64"}), days)
    assert calls["customer_id"].tolist() == ["a"]
    return calls.iloc[0]


def test_each_event_is_judged_by_its_own_measure():
    assert judged("stable", 10, 20.0, 30)["order_in_time"]
    assert not judged("stable", 10, 20.0, 31)["order_in_time"]
    assert not judged("stable", 10, 20.0, None)["order_in_time"]
    assert pd.isna(judged("stable", 40, 20.0, 1)["order_in_time"])
    assert pd.isna(judged("stable", 10, 51.0, 5)["order_in_time"])
    assert judged("grow", 10, 20.0, 5, after=9.1)["higher_sales"]
    assert not judged("grow", 10, 20.0, 5, after=8.9)["higher_sales"]
    assert pd.isna(judged("grow", 10, 20.0, 5, after=9.1, trend=np.nan)["higher_sales"])
    assert judged("drop", 10, 20.0, None)["no_order"]
    assert judged("identify", 10, 20.0, 90)["order"]
    with pytest.raises(DataError, match="0 days"):
        judged("drop", 10, 20.0, None, days=0)


def test_shares_are_of_those_who_can_be_judged():
    calls = pd.concat([judged("stable", *c).to_frame().T for c in ((10, 20.0, 5), (10, 20.0, 60), (40, 20.0, 5))])
    table = confirmed(calls).set_index("stage")
    assert table.loc["stable", ["n_customers", "n_judged"]].tolist() == [3, 2]
    assert table.loc["stable", ["share_confirmed", "share_of_all"]].tolist() == [0.5, 0.5]
    assert table.loc["drop", ["n_customers", "n_judged"]].tolist() == [0, 0]
    assert np.isnan(table.loc["drop", "share_confirmed"])
    assert table.loc["drop", "share_of_all"] == 0
    assert table.index.tolist() == list(STAGES)


@pytest.fixture(scope="module")
def store():
    return simulate(1500, seed=11)


@pytest.fixture(scope="module")
def orders(store):
    return read(store.orders)


def test_the_future_does_not_reach_the_stages(store, orders):
    settings = load_settings()
    calls, cutoff = hindsight.stage_calls(orders, settings, days=180)
    assert (orders.as_of - cutoff).days == 180
    until = store.orders[pd.to_datetime(store.orders["order_date"]) <= pd.Timestamp(cutoff)]
    early = read(until, load_settings(as_of=str(cutoff)))
    customers = customer_table(early)
    expected = lifetime.forecast(customers, early.as_of, settings.lifetime).table
    alone = churn.stages(customers.merge(expected, on="customer_id"), settings.churn)
    both = alone.merge(calls, on="customer_id", suffixes=("", "_called"))
    assert len(both) == len(alone) == len(calls)
    assert (both["stage"].astype(str) == both["stage_called"].astype(str)).all()


def test_what_came_later_is_what_the_orders_say(store, orders):
    calls, cutoff = hindsight.stage_calls(orders, load_settings(), days=180)
    rows = store.orders.assign(day=pd.to_datetime(store.orders["order_date"]))
    net = rows.groupby(["order_id", "customer_id"], as_index=False).agg({"day": "min", "amount": "sum"})
    later = net[net["day"] > pd.Timestamp(cutoff)]
    bought = later[later["amount"] > 0].groupby("customer_id")["day"].min()
    assert (later["amount"] == 0).any()  # an order that came back as a whole is no purchase
    told = calls.set_index("customer_id")["days_to_next"].dropna()
    truth = (bought - pd.Timestamp(cutoff)).dt.days.reindex(told.index)
    assert (told == truth).all()
    assert len(told) == calls["customer_id"].isin(bought.index).sum() > 100
    sales = later.groupby("customer_id")["amount"].sum().reindex(calls["customer_id"]).fillna(0)
    assert calls["sales_after"].to_numpy() == pytest.approx(sales.to_numpy(), abs=1e-6)


def test_confirmed_stages_beat_the_share_of_all(orders):
    calls, _ = hindsight.stage_calls(orders, load_settings())
    table = confirmed(calls).set_index("stage")
    assert table["n_customers"].sum() == len(calls)
    assert table.loc["drop", "share_confirmed"] > 0.88 > 0.75 > table.loc["drop", "share_of_all"]
    assert table.loc["cultivate", "share_confirmed"] > table.loc["cultivate", "share_of_all"] + 0.1


def test_too_short_a_history_to_go_back():
    rows = pd.DataFrame({"customer_id": ["1", "2"], "order_date": ["2024-01-05", "2024-02-29"], "amount": [10, 20]})
    young = read(rows)
    calls, cutoff = hindsight.stage_calls(young, load_settings())
    assert (len(calls), cutoff) == (0, None)
    whole, _ = hindsight.stage_calls(
        read(rows.assign(order_date=["2024-01-05", "2024-12-31"])), load_settings(), days=28
    )
    assert list(calls.columns) == list(whole.columns)
    with pytest.raises(DataError, match="60 of them"):
        hindsight.stage_calls(young, load_settings(), days=60)


def test_purchase_days_leave_returns_and_others_out(rows):
    days = purchase_days(read(rows), ["01", "02", "nobody"])
    assert days["customer_id"].tolist() == ["01", "01", "02"]
    assert days["order_date"].dt.strftime("%m-%d").tolist() == ["01-01", "01-31", "02-10"]
    assert days["n_orders"].tolist() == [1, 1, 1]
    assert purchase_days(read(rows), []).empty


def test_more_customers_than_the_sample_are_drawn_the_same_each_time(orders, monkeypatch):
    monkeypatch.setattr(timelines, "GAP_SAMPLE", 50)
    ids = customer_table(orders)["customer_id"]
    one, other = (purchase_days(orders, ids) for _ in range(2))
    pd.testing.assert_frame_equal(one, other)
    assert one["customer_id"].nunique() == 50


SHOPS = {
    "as the sample": Process(),
    "slow, leaving early": Process(alpha=20.0, s=0.9, beta=20.0),
    "busy, leaving late": Process(r=1.2, alpha=6.0, s=0.5, beta=60.0),
}


@pytest.mark.parametrize("name", SHOPS)
def test_most_of_the_dropped_have_really_left(name):
    store = simulate(2000, seed=5, process=SHOPS[name])
    orders = read(store.orders)
    customers = customer_table(orders)
    forecast = lifetime.forecast(customers, orders.as_of)
    known = customers.merge(forecast.table, on="customer_id")
    stage = churn.stages(known).merge(store.truth[["customer_id", "alive"]], on="customer_id")
    alive = stage.groupby("stage", observed=False)["alive"].agg(["mean", "size"])
    assert alive.loc["drop", "size"] > 100
    assert 1 - alive.loc["drop", "mean"] >= 0.85
    assert alive.loc["stable", "mean"] >= 0.85

"""The warning board against truth: exact chances, constant buyers, real falls, intervals that cover."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from custvalue.churn import STAGES, adjusted_p, basket_misses, change_p, falling_spend, leaving
from custvalue.churn.change import spread_factor
from custvalue.errors import UsageError


def test_leaving_lists_decliners_by_value_at_risk():
    stage = pd.Categorical(["decline", "decline", "drop", "decline"], STAGES, ordered=True)
    board = pd.DataFrame({"customer_id": list("dcba"), "stage": stage, "value_at_risk": [5.0, 5.0, 99.0, np.nan]})
    assert leaving(board)["customer_id"].tolist() == ["c", "d", "a"]
    assert leaving(board, n=1)["customer_id"].tolist() == ["c"]
    assert leaving(board.assign(stage="stable")).empty


def years(now, before, squares, **columns):
    table = pd.DataFrame({"sales_12m": now, "sales_prior_12m": before, "squares_24m": squares}, dtype=float)
    return table.assign(**({"tenure_days": 900, "customer_id": [str(i) for i in range(len(table))]} | columns))


def test_equal_risks_at_the_end_of_the_list_are_taken_by_customer():
    table = pd.DataFrame({"customer_id": list("dcbae"), "stage": "decline", "value_at_risk": [5.0, 5, 5, 9, None]})
    assert leaving(table, 2)["customer_id"].tolist() == ["a", "b"]
    assert leaving(table, 9)["customer_id"].tolist() == ["a", "b", "c", "d", "e"]
    assert leaving(table, 0).empty


@pytest.mark.parametrize("n", [1, 4, 9, 30])
def test_equal_orders_have_the_mid_p_of_fair_coins(n):
    k = np.arange(n + 1)
    p = change_p(years(7.0 * k, 7.0 * (n - k), np.full(n + 1, 49.0 * n)))
    assert p["p_fall"].to_numpy() == pytest.approx(binom.cdf(k, n, 0.5) - binom.pmf(k, n, 0.5) / 2, abs=1e-9)
    assert p["p_rise"].to_numpy() == pytest.approx(p["p_fall"].to_numpy()[::-1], abs=1e-9)


def test_unequal_orders_come_near_the_chance_over_all_ways_to_place_them():
    amounts = np.random.default_rng(3).gamma(3, 10, 14)
    coins = np.array(list(itertools.product([0, 1], repeat=len(amounts))))
    sums, total = coins @ amounts, amounts.sum()
    for share in (0.1, 0.2, 0.3, 0.5):
        p = change_p(years([share * total], [(1 - share) * total], [(amounts**2).sum()]))["p_fall"].iloc[0]
        assert p == pytest.approx((sums <= share * total).mean(), abs=0.01)


def test_the_chance_is_missing_where_two_years_can_not_be_compared():
    table = years([1.0, 0.0, 5.0], [9.0, 0.0, 1.0], [10.0, 0.0, 6.0], tenure_days=[729, 900, 900])
    assert change_p(table).isna().all(axis=1).tolist() == [True, True, False]
    assert change_p(table.head(0)).empty


def test_one_large_order_is_no_fall_however_much_money_it_was():
    one_large = years([10.0], [1010.0], [1000.0**2 + 200.0])
    many_small = years([10.0], [1010.0], [1020 * 10.0])
    assert change_p(one_large)["p_fall"].iloc[0] > 0.2
    assert change_p(many_small)["p_fall"].iloc[0] < 1e-9


def shop(n, seed, mean_rate=12.0, change=1.0, clump=1):
    """Two years of customers with gamma amounts; ``change`` of the rate in the second, orders in clumps."""
    rng = np.random.default_rng(seed)
    rate, mean = rng.gamma(1.5, mean_rate / 1.5, n), rng.lognormal(4, 0.6, n)
    counts = [clump * rng.poisson(r / clump) for r in (rate, rate * change)]
    amounts = [rng.gamma(3, m / 3, a + b) for m, a, b in zip(mean, *counts, strict=True)]
    before = [a[:k].sum() for a, k in zip(amounts, counts[0], strict=True)]
    now = [a[k:].sum() for a, k in zip(amounts, counts[0], strict=True)]
    orders = {"n_orders_12m": counts[1], "n_orders_prior_12m": counts[0]}
    return years(now, before, [(a**2).sum() for a in amounts], **orders)


def test_constant_buyers_seem_to_fall_no_more_often_than_stated():
    p = change_p(shop(20_000, 1))["p_fall"].dropna()
    for level in (0.001, 0.01, 0.05, 0.1):
        assert (p <= level).mean() <= level * 1.1
    assert (p <= 0.1).mean() >= 0.06


def test_constant_buyers_fill_no_list():
    alarms = [len(falling_spend(shop(1000, seed), n=1000, share=0.01)) > 0 for seed in range(40)]
    assert np.mean(alarms) <= 0.1 + 2 * np.sqrt(0.1 * 0.9 / 40)


def test_real_falls_are_found_and_false_alarms_stay_at_the_stated_share():
    change = np.where(np.arange(4000) % 8 == 0, 0.4, 1.0)
    table = shop(4000, 5, mean_rate=30.0, change=change)
    found = falling_spend(table, n=4000, share=0.01)["customer_id"].astype(int)
    assert (change[found] == 1).mean() <= 0.1
    busy = np.flatnonzero((change < 1) & (table["n_orders_prior_12m"] >= 40))
    assert len(busy) > 50
    assert np.isin(busy, found).mean() >= 0.8


def test_clumped_orders_are_taken_for_what_they_are():
    plain, clumped = shop(4000, 6, mean_rate=24.0), shop(4000, 6, mean_rate=24.0, clump=4)
    assert spread_factor(plain) == pytest.approx(1, abs=0.15)
    assert spread_factor(clumped) == pytest.approx(4, rel=0.25)
    assert (change_p(clumped)["p_fall"] <= 0.05).mean() <= 0.06


def test_leaving_does_not_pass_for_spread():
    change = np.where(np.arange(4000) % 3 == 0, 0.3, 1.0)
    assert spread_factor(shop(4000, 7, mean_rate=24.0, change=change)) == pytest.approx(1, abs=0.2)


def test_the_step_up_of_benjamini_and_hochberg():
    p = pd.Series([0.04, np.nan, 0.001, 0.02], index=[5, 6, 7, 8])
    assert adjusted_p(p).tolist()[2:] == pytest.approx([0.003, 0.03])
    assert adjusted_p(p).isna().tolist() == [False, True, False, False]
    assert adjusted_p(p.head(0)).empty


def test_falling_spend_lists_those_who_still_buy_by_money_lost():
    table = years([50.0, 51.0, 0.0, 100.0, 10.0, 90.0], [500.0, 100.0, 500.0, 4000.0, 0.0, 3000.0], 500.0)
    table = table.assign(customer_id=list("abcdef"), n_orders_12m=[1, 2, 0, 3, 1, 3], n_orders_prior_12m=9)
    table["stage"] = ["stable", "stable", "drop", "decline", "grow", "drop"]
    result = falling_spend(table)
    assert result["customer_id"].tolist() == ["d", "a"]
    assert result["lost_sales"].tolist() == [3900, 450]
    assert result["fall_share"].tolist() == [0.975, 0.9]
    assert (result["p_value"] <= result["q_value"]).all()
    assert falling_spend(table.head(0)).empty
    with pytest.raises(UsageError, match="squares_24m"):
        falling_spend(table.drop(columns="squares_24m"))


def baskets(**columns):
    plain = {"segment": "x", "n_orders": 20, "n_orders_12m": 10, "purchases_12m": 100.0, "mean_order_value": 10.0}
    return pd.DataFrame(plain | columns)


def test_a_basket_is_measured_against_what_the_same_customers_paid_before():
    segment = pd.Categorical(["x", "x", "y", "y"], ["x", "y", "z"], ordered=True)
    table = baskets(
        segment=segment,
        n_orders=[20, 5, 4, 2],
        n_orders_12m=[10, 1, 2, 2],
        purchases_12m=[80.0, 20.0, 30.0, 9.0],
        mean_order_value=[9.0, 20.0, 20.0, 4.5],
    )
    result = basket_misses(table).set_index("segment")
    assert result["basket_12m"].tolist() == pytest.approx([100 / 11, 15])
    assert result["basket_target"].tolist() == pytest.approx([120 / 11, 25])
    assert result["miss_share"].tolist() == pytest.approx([1 / 6, 0.4])
    assert result["n_customers"].tolist() == [2, 1]
    assert np.isnan(result.loc["y", "miss_low"])
    assert not result["sure"].any()
    assert basket_misses(table, target_factor=1.1)["miss_share"].iloc[1] == pytest.approx(1 - 15 / 27.5)
    assert basket_misses(table.assign(n_orders=table["n_orders_12m"])).empty


def drawn_baskets(rng, n, factor):
    """Customers whose orders of the last year are ``factor`` times their usual, both sides noisy."""
    mean, now, before = rng.lognormal(3, 0.7, n), rng.poisson(4, n) + 1, rng.poisson(6, n) + 1
    paid = [rng.gamma(6 * k, m / 6 * factor) for m, k in zip(mean, now, strict=True)]
    earlier = [rng.gamma(6 * k, m / 6) for m, k in zip(mean, before, strict=True)]
    total, orders = np.add(paid, earlier), now + before
    return baskets(purchases_12m=paid, n_orders_12m=now, n_orders=orders, mean_order_value=total / orders)


def test_the_interval_of_a_basket_covers_the_truth_and_sure_is_rarely_wrong():
    rng = np.random.default_rng(8)
    drawn = pd.concat([basket_misses(drawn_baskets(rng, 60, 0.9)) for _ in range(150)])
    assert 0.91 <= ((drawn["miss_low"] <= 0.1) & (drawn["miss_high"] >= 0.1)).mean() <= 0.99
    none = pd.concat([basket_misses(drawn_baskets(rng, 60, 1.0)) for _ in range(150)])
    assert none["sure"].mean() <= 0.07
    assert basket_misses(drawn_baskets(rng, 2000, 0.9))["sure"].all()

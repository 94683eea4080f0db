"""Co-purchases and suggestions: closed forms, planted pairs, breadth that misleads the plain lift, hold-out."""

from __future__ import annotations

import datetime as dt
import itertools

import numpy as np
import pandas as pd
import pytest

from custvalue import crosssell
from custvalue.config import load_settings
from custvalue.crosssell import CrossSellRules
from custvalue.customers import customer_table
from custvalue.errors import UsageError
from custvalue.pipeline import read
from custvalue.timelines import category_purchases


def baskets(owned, names=None):
    """A row per customer and category from a table of truth values."""
    names = names or [f"k{place}" for place in range(owned.shape[1])]
    who, what = np.nonzero(owned)
    return pd.DataFrame({"customer_id": [f"c{i}" for i in who], "category": [names[i] for i in what]})


def broad_and_narrow(rng, n, weights, pair=None, share=0.0):
    """Customers who buy 1 to 6 categories, drawn by weight and nothing else; with ``share`` the pair is made whole."""
    weights, owned = np.array(weights, float), np.zeros((n, len(weights)), dtype=bool)
    for row, size in zip(owned, rng.choice([1, 1, 1, 2, 3, 6], n), strict=True):
        row[np.argsort(rng.exponential(size=len(weights)) / weights)[:size]] = True
    if pair:
        made = owned[:, pair[0]] & (rng.random(n) < share)
        owned[made, pair[1]] = True
    return owned


def test_counts_shares_and_lift_are_the_closed_forms():
    bought = pd.DataFrame({"customer_id": list("aabbccd"), "category": ["x", "y", "x", "y", "x", "z", "z"]})
    row = crosssell.co_purchases(bought).set_index(["category", "other_category"]).loc[("x", "y")]
    assert row[["n_customers", "n_buyers", "n_other", "n_both"]].tolist() == [4, 3, 2, 2]
    assert row[["support", "confidence", "pair_lift"]].tolist() == pytest.approx(
        [2 / 4, 2 / 3, (2 / 4) / (3 / 4 * 2 / 4)]
    )


def test_both_directions_are_one_test():
    pairs = crosssell.co_purchases(baskets(broad_and_narrow(np.random.default_rng(1), 500, [4, 3, 2, 1])))
    swapped = pairs.rename(columns={"category": "other_category", "other_category": "category"})
    both = pairs.merge(swapped, on=["category", "other_category"], suffixes=("", "_swapped"))
    assert len(both) == len(pairs) == 12
    for column in ("n_both", "pair_lift", "lift_beyond", "pair_p", "pair_q"):
        assert both[column].to_numpy() == pytest.approx(both[f"{column}_swapped"].to_numpy())


def test_expected_pairs_are_those_of_a_long_enumeration():
    """Chances of sets of three of five weighted categories, against all sets written out."""
    weights = np.array([4.0, 3.0, 2.0, 1.0, 0.5])
    sets = list(itertools.combinations(range(5), 3))
    chance = np.array([np.prod(weights[list(one)]) for one in sets])
    expected = sum(p for one, p in zip(sets, chance / chance.sum(), strict=True) if {0, 2} <= set(one))
    members = np.array([[True, False, True, False, False]])
    assert crosssell._included(weights, np.array([3]), members)[0, 0] == pytest.approx(expected)


def test_who_buys_widely_misleads_the_plain_lift_only():
    """No category goes with any other here; yet the plain lift is far above 1 for every pair."""
    owned = broad_and_narrow(np.random.default_rng(2), 4_000, [6, 4, 3, 3, 2, 2, 1, 1])
    pairs = crosssell.co_purchases(baskets(owned))
    assert pairs["pair_lift"].median() > 1.2
    assert not pairs["sure_pair"].any()
    assert pairs["lift_beyond"].between(0.85, 1.15).all()


def test_p_values_of_unlinked_categories_are_even():
    rng = np.random.default_rng(3)
    found = [
        crosssell.co_purchases(baskets(broad_and_narrow(rng, 800, [4, 3, 3, 2, 1]))).query("category < other_category")[
            "pair_p"
        ]
        for _ in range(40)
    ]
    p_values = pd.concat(found)
    assert 0.02 < (p_values < 0.05).mean() < 0.09
    assert 0.42 < p_values.mean() < 0.58


def test_a_planted_pair_is_found_first():
    owned = broad_and_narrow(np.random.default_rng(4), 3_000, [4, 3, 3, 2, 2, 1], pair=(1, 4), share=0.4)
    pairs = crosssell.likely_pairs(crosssell.co_purchases(baskets(owned)))
    assert set(pairs.loc[0, ["category", "other_category"]]) == {"k1", "k4"}
    assert (pairs["lift_beyond"].iloc[1:] - 1 < (pairs.loc[0, "lift_beyond"] - 1) / 2).all()


def test_a_pair_planted_in_one_group_is_found_there():
    rng = np.random.default_rng(5)
    linked = broad_and_narrow(rng, 2_000, [4, 3, 3, 2], pair=(0, 3), share=0.5)
    owned = np.vstack([linked, broad_and_narrow(rng, 2_000, [4, 3, 3, 2])])
    groups = pd.DataFrame({"customer_id": [f"c{i}" for i in range(4_000)]})
    order = pd.CategoricalDtype(["none", "linked", "free"], ordered=True)
    groups["segment"] = pd.Series(np.repeat(["linked", "free"], 2_000)).astype(order)
    pairs = crosssell.co_purchases(baskets(owned), groups)
    assert pairs["segment"].dtype == order
    assert pairs.query("sure_pair")["segment"].unique().tolist() == ["linked"]
    first = crosssell.likely_pairs(pairs, 1)
    assert first["segment"].tolist() == ["linked"]
    assert set(first.loc[0, ["category", "other_category"]]) == {"k0", "k3"}
    assert pairs.groupby("segment", observed=True)["n_customers"].first().to_dict() == {"linked": 2_000, "free": 2_000}


@pytest.mark.parametrize("names", [[], ["a"], ["a", "b", "c"]])
def test_one_category_each_tells_nothing(names):
    bought = pd.DataFrame({"customer_id": [f"c{i}" for i in range(len(names))], "category": names}, dtype="str")
    pairs = crosssell.co_purchases(bought)
    assert len(pairs) == len(names) * (len(names) - 1)
    assert not pairs["sure_pair"].any()
    assert pairs["lift_beyond"].isna().all()


def test_customers_who_bought_everything_tell_nothing():
    pairs = crosssell.co_purchases(baskets(np.ones((50, 3), dtype=bool)))
    assert pairs["lift_beyond"].isna().all()
    assert not pairs["sure_pair"].any()


def test_only_the_categories_with_most_buyers_are_compared():
    owned = broad_and_narrow(np.random.default_rng(6), 600, np.arange(40, 0, -1))
    pairs = crosssell.co_purchases(baskets(owned), rules=CrossSellRules(max_categories=5))
    assert pairs["category"].nunique() == 5
    assert pairs["n_buyers"].min() >= baskets(owned)["category"].value_counts().iloc[5]


def test_many_categories_do_not_overflow():
    owned = broad_and_narrow(np.random.default_rng(7), 2_000, np.geomspace(1, 1_000, 60))
    owned[0] = True
    pairs = crosssell.co_purchases(baskets(owned), rules=CrossSellRules(max_categories=60))
    assert np.isfinite(pairs.query("n_both >= 20")["lift_beyond"]).all()
    assert pairs["sure_pair"].mean() < 0.05


def test_nobody_is_offered_what_he_has():
    owned = broad_and_narrow(np.random.default_rng(8), 1_000, [5, 4, 3, 2, 1])
    bought = baskets(owned)
    customers = pd.DataFrame({"customer_id": [f"c{i}" for i in range(1_000)] + ["unknown"]})
    for way in crosssell.SUGGESTIONS:
        table = crosssell.next_category(customers, bought, way)
        has = table.merge(bought, left_on=["customer_id", "next_category"], right_on=["customer_id", "category"])
        assert has.empty
        assert table["customer_id"].tolist() == customers["customer_id"].tolist()
        assert table.set_index("customer_id").loc["unknown", "next_category"] == "k0"
    assert set(crosssell.next_category(customers, bought, "popular")["suggestion"].dropna()) == {"popular"}
    assert table["next_category"].isna().sum() == owned.all(axis=1).sum() > 0


def test_the_reason_is_a_category_of_his():
    owned = broad_and_narrow(np.random.default_rng(9), 3_000, [5, 3, 3, 2], pair=(1, 3), share=0.9)
    customers = pd.DataFrame({"customer_id": [f"c{i}" for i in range(3_000)]})
    table = crosssell.next_category(customers, baskets(owned))
    reasons = table.dropna(subset="because").merge(baskets(owned), on="customer_id")
    assert (reasons["because"] == reasons["category"]).sum() == table["because"].notna().sum()
    only_k1 = table[(owned[:, 1]) & (owned.sum(axis=1) == 1)]
    both, buyers = (owned[:, 1] & owned[:, 3]).sum(), owned[:, 1].sum()
    assert set(only_k1["next_category"]) == {"k3"}
    assert only_k1["confidence"].iloc[0] == pytest.approx(both / buyers)
    assert only_k1["n_both"].iloc[0] == both


def test_without_support_the_most_bought_is_suggested():
    bought = pd.DataFrame({"customer_id": list("aabc"), "category": ["x", "y", "x", "y"]})
    table = crosssell.next_category(pd.DataFrame({"customer_id": ["b"]}), bought)
    assert table[["next_category", "suggestion"]].to_numpy().tolist() == [["y", "popular"]]
    assert table["because"].isna().all()


def test_without_categories_nothing_is_suggested():
    nothing = pd.DataFrame({"customer_id": [], "category": []}, dtype="str")
    table = crosssell.next_category(pd.DataFrame({"customer_id": ["a"]}), nothing)
    assert table["next_category"].isna().all()
    assert not crosssell.suggestion_test(nothing, nothing)["preferred"].any()
    assert crosssell.suggestion_test(nothing, nothing)["hit_rate"].isna().all()


def test_an_unknown_way_is_refused():
    with pytest.raises(UsageError, match="popular, like_buyers"):
        crosssell.next_category(pd.DataFrame({"customer_id": ["a"]}), baskets(np.eye(2, dtype=bool)), "magic")


def later(before, rng, likely):
    """Each customer of one category begins a second one: with ``likely`` that which goes with it, else any."""
    n = len(before)
    own = before.argmax(axis=1)
    after = before.copy()
    other = np.where(rng.random(n) < likely, (own + 1) % before.shape[1], rng.integers(0, before.shape[1], n))
    after[np.arange(n), other] = True
    return after


def test_like_buyers_are_chosen_only_where_they_hit_more_often():
    rng = np.random.default_rng(10)
    known = np.eye(6, dtype=bool)[rng.integers(0, 6, 3_000)]
    known[:2_000] = later(known[:2_000], rng, 0.8)
    linked = known.copy()
    linked[2_000:] = later(known[2_000:], rng, 0.8)
    test = crosssell.suggestion_test(baskets(known), baskets(linked)).set_index("suggestion")
    assert test.loc["like_buyers", "preferred"]
    assert test.loc["like_buyers", "hit_rate"] > 0.5 > 0.4 > test.loc["popular", "hit_rate"]
    free = known.copy()
    free[2_000:] = later(known[2_000:], rng, 0.0)
    test = crosssell.suggestion_test(baskets(known), baskets(free)).set_index("suggestion")
    assert test.loc["popular", "preferred"]
    assert test.loc["popular", "hit_rate"] == pytest.approx(test.loc["chance", "hit_rate"], abs=0.05)


def test_what_was_bought_later_does_not_teach():
    before = baskets(np.array([[True, False, False]] * 30))
    after = baskets(np.array([[True, True, False]] * 30))
    test = crosssell.suggestion_test(before, after).set_index("suggestion")
    assert test["n_customers"].unique().tolist() == [0]


def test_the_sample_has_no_pair_beyond_breadth_and_says_so(sample):
    """There a taste is drawn first and further categories by popularity only."""
    orders = read(sample, load_settings(data=sample))
    bought, early = category_purchases(orders), category_purchases(orders, orders.as_of - dt.timedelta(days=365))
    pairs = crosssell.co_purchases(bought)
    assert pairs["pair_lift"].min() > 1.2
    assert not pairs["sure_pair"].any()
    test = crosssell.suggestion_test(early, bought).set_index("suggestion")
    assert test.loc["popular", "preferred"]
    assert test.loc["popular", "share_low"] > test.loc["chance", "hit_rate"]
    table = crosssell.next_category(customer_table(orders), bought, "popular")
    assert table["next_category"].notna().mean() > 0.9

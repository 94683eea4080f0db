"""Browsing segments, the e-value and whether orders followed: closed forms, planted changes, chance, thin data."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from custvalue import engagement
from custvalue.beside import read_events
from custvalue.config import load_settings
from custvalue.customers import customer_table
from custvalue.engagement import EngagementRules
from custvalue.errors import UsageError
from custvalue.pipeline import read
from custvalue.timelines import category_purchases, orders_between

AS_OF = dt.date(2024, 6, 30)
DAY = pd.Timestamp(AS_OF)


def seen(customer, category, days_ago, event="view", price_band="low"):
    rows = pd.DataFrame({"customer_id": customer, "category": category, "event": event, "price_band": price_band})
    return rows.assign(event_date=DAY - pd.to_timedelta(days_ago, unit="D"))


def rows_of(*rows):
    frame = pd.DataFrame(rows, columns=["customer_id", "category", "days_ago"])
    return seen(frame["customer_id"], frame["category"], frame["days_ago"])


def steady_visitors(n=40, categories=("tea", "cup", "pot", "tray")):
    """Each looked three times at one category in the days before, and not since."""
    return rows_of(*((f"s{i:03}", categories[i % len(categories)], age) for i in range(n) for age in (70, 80, 90)))


def one(events, customer="x", rules=None):
    table = engagement.browsing_segments(events, AS_OF, rules)
    return table.set_index("customer_id").loc[customer]


@pytest.mark.parametrize(
    ("views", "code"),
    [
        ([("tea", 100), ("tea", 90), ("tea", 80), ("cup", 5), ("cup", 4), ("cup", 3)], "just_changed"),
        ([("tea", 100), ("tea", 90), ("tea", 80), ("tea", 5)], "steady"),
        ([("tea", 100), ("cup", 90), ("cup", 5)], "steady"),
        ([("tea", 100), ("cup", 99), ("pot", 98), ("tea", 97), ("cup", 5), ("pot", 4), ("pot", 3)], "exploring"),
        ([("cup", 5)], "new"),
        ([("cup", 400), ("tea", 5)], "new"),
        ([("cup", 60)], "silent"),
    ],
)
def test_the_browsing_segment_follows_from_the_views(views, code):
    events = pd.concat([steady_visitors(), rows_of(*(("x", *view) for view in views))])
    assert one(events)["browsing"] == code


def test_the_windows_begin_and_end_on_the_stated_days():
    rules = EngagementRules(recent_days=60, before_days=180)
    codes = [
        one(rows_of(("x", "tea", 0), ("x", "tea", age)), rules=rules)["n_views_before"] for age in (59, 60, 239, 240)
    ]
    assert codes == [0, 1, 1, 0]


def test_of_equally_viewed_categories_the_last_one_is_the_main_one():
    found = one(rows_of(("x", "tea", 9), ("x", "cup", 3)))
    assert (found["category"], found["price_band"]) == ("cup", "low")


def test_the_main_band_is_that_of_the_main_category():
    events = pd.concat(
        [
            seen(["x"] * 3, "tea", [3, 2, 1], price_band=["high", "high", None]),
            seen(["x"] * 2, "cup", [3, 2], price_band="low"),
        ]
    )
    assert one(events)["price_band"] == "high"
    assert pd.isna(one(events.assign(price_band=None))["price_band"])


def test_a_silent_customer_keeps_what_he_looked_at_last():
    found = one(rows_of(("x", "tea", 400), ("x", "tea", 399), ("x", "cup", 100), ("x", "cup", 90), ("x", "tea", 95)))
    assert (found["browsing"], found["category"]) == ("silent", "cup")


def test_events_after_the_day_and_purchases_are_no_views():
    events = pd.concat([rows_of(("x", "tea", 3), ("x", "cup", -1)), seen(["x"] * 5, "pot", 1, event="Purchase")])
    found = one(events)
    assert (found["category"], found["n_views"]) == ("tea", 1)


def test_customers_without_events_have_a_row_and_so_have_visitors_without_orders():
    customers = pd.DataFrame({"customer_id": ["quiet", "x"]})
    table = engagement.browsing_segments(rows_of(("visitor", "tea", 1), ("x", "tea", 1)), AS_OF, customers=customers)
    assert table["customer_id"].tolist() == ["quiet", "x", "visitor"]
    assert table["browsing"].tolist() == ["unseen", "new", "new"]


def test_without_any_event_nobody_is_seen():
    customers = pd.DataFrame({"customer_id": ["a"]})
    table = engagement.browsing_segments(rows_of(), AS_OF, customers=customers)
    assert table["browsing"].tolist() == ["unseen"]
    assert engagement.group_table(table).empty
    assert engagement.changed_by_chance(rows_of(), AS_OF) == 0


def test_one_visitor_is_never_said_to_have_changed():
    """Nothing is known of how far visitors keep to their categories."""
    found = one(rows_of(*(("x", "tea", age) for age in range(100, 120)), *(("x", "cup", age) for age in range(20))))
    assert found["browsing"] == "exploring"


def random_visitors(rng, n, n_categories, per_customer, own=None):
    who = np.repeat(np.arange(n), per_customer)
    category = rng.integers(0, n_categories, len(who))
    if own is not None:
        category = np.where(rng.random(len(who)) < own, (who % n_categories), category)
    ages = rng.integers(0, 240, len(who))
    return seen([f"c{i}" for i in who], [f"k{c}" for c in category], ages)


@pytest.mark.parametrize("own", [None, 0.5, 0.8])
def test_random_visitors_are_rarely_flagged(own):
    """Views without any change: at most one in ten customers, here far fewer, and as many as shuffling flags."""
    events = random_visitors(np.random.default_rng(1), 3_000, 8, 8, own)
    n = (engagement.browsing_segments(events, AS_OF)["browsing"] == "just_changed").sum()
    by_chance = engagement.changed_by_chance(events, AS_OF)
    assert n <= 0.05 * 3_000
    assert abs(n - by_chance) < 4 * np.sqrt(by_chance + 1)


def test_real_changes_are_found_beyond_chance():
    rng = np.random.default_rng(2)
    events = random_visitors(rng, 3_000, 8, 8, 0.8)
    moved = events["customer_id"].isin([f"c{i}" for i in range(300)]) & (
        events["event_date"] > DAY - pd.Timedelta(60, "D")
    )
    events = events.assign(category=events["category"].where(~moved, "k_new"))
    table = engagement.browsing_segments(events, AS_OF)
    flagged = table[table["browsing"] == "just_changed"]
    assert flagged["category"].eq("k_new").mean() > 0.6
    assert len(flagged) > 3 * engagement.changed_by_chance(events, AS_OF)


def test_groups_add_up_to_those_who_look():
    table = engagement.browsing_segments(pd.concat([steady_visitors(), rows_of(("x", "tea", 1))]), AS_OF)
    groups = engagement.group_table(table)
    assert groups["n_customers"].sum() == 1
    assert groups["share_customers"].sum() == 1


def test_viewed_and_not_bought_since():
    events = rows_of(
        *((who, "tea", age) for who in ("never", "since", "long_ago") for age in (10, 5)), ("once", "tea", 1)
    )
    bought = pd.DataFrame({"customer_id": ["since", "long_ago"], "category": "tea"})
    bought["last_bought"] = [DAY - pd.Timedelta(7, "D"), DAY - pd.Timedelta(50, "D")]
    table = engagement.viewed_not_bought(events, bought, AS_OF).set_index("customer_id")
    assert sorted(table.index) == ["long_ago", "never"]
    assert table["bought_before"].to_dict() == {"long_ago": True, "never": False}
    assert table.loc["never", "price_band"] == "low"
    nothing = bought.head(0)
    assert len(engagement.viewed_not_bought(events, nothing, AS_OF)) == 3
    assert engagement.viewed_not_bought(events.head(0), nothing, AS_OF).empty


def test_the_e_value_is_the_stated_formula():
    """Weights 1 and 4, three events bring half: 100 (1 x 3/6 + 4 x 1/4) / 5 = 30; events of 90 days ago count half."""
    rules = EngagementRules(weights={"view": 1, "post": 4}, half_events=3, half_life_days=90)
    events = pd.concat([seen(["a"] * 3, "tea", 0), seen(["a"], "tea", 0, event="post"), seen(["b"] * 6, "tea", 90)])
    table = engagement.e_value(events, AS_OF, rules).set_index("customer_id")
    assert table["e_value"].to_dict() == pytest.approx({"a": 30.0, "b": 10.0})
    assert table.loc["a", ["main_event", "n_events", "e_level"]].tolist() == ["post", 4, "middle"]


def test_the_e_value_saturates_below_100():
    events = seen(["a"] * 5_000, "tea", 0)
    assert 99 < engagement.e_value(events, AS_OF).loc[0, "e_value"] < 100


def test_events_of_the_future_are_not_known():
    past, future = seen(["a"], "tea", 5), seen(["a", "b"], "tea", -5, event="post")
    pd.testing.assert_frame_equal(
        engagement.e_value(pd.concat([past, future]), AS_OF), engagement.e_value(past, AS_OF), check_dtype=False
    )


def test_unknown_kinds_have_the_stated_weight_and_are_listed():
    events = pd.concat([seen(["a"], "tea", 0, event=" VIEW "), seen(["b"], "tea", 0, event="戳一下")])
    parts = engagement.e_parts(events, AS_OF, EngagementRules(default_weight=2)).set_index("event")
    assert parts["weight"].to_dict() == {"戳一下": 2, "view": 1}
    assert parts["named"].to_dict() == {"戳一下": False, "view": True}
    assert parts["share_points"].sum() == pytest.approx(1)


def test_levels_hold_equal_customers_together():
    events = seen([f"c{i}" for i in range(10)], "tea", 0)
    customers = pd.DataFrame({"customer_id": ["nothing"]})
    levels = engagement.e_value(events, AS_OF, customers=customers)["e_level"].value_counts()
    assert levels[levels > 0].to_dict() == {"lowest": 10, "none": 1}


@pytest.mark.parametrize("weight", ["much", -1, float("nan"), True])
def test_a_weight_that_is_no_number_is_refused(weight):
    with pytest.raises(UsageError, match=r"engagement\.weights"):
        EngagementRules(weights={"view": weight})


@pytest.mark.parametrize(
    "rule", ["half_events", "half_life_days", "recent_days", "before_days", "wish_views", "outcome_days"]
)
def test_a_rule_out_of_range_is_refused(rule):
    with pytest.raises(UsageError, match=rule):
        EngagementRules(**{rule: 0})


def shoppers(n, effect, seed=3):
    """Customers whose later orders go up with their orders so far, and with the e-value by ``effect``."""
    rng = np.random.default_rng(seed)
    ids, habit = [f"c{i}" for i in range(n)], rng.gamma(1, 1, n)
    n_orders = rng.poisson(3 * habit) + 1
    customers = pd.DataFrame({"customer_id": ids, "n_orders": n_orders, "n_orders_12m": n_orders})
    customers["days_since_last"] = rng.integers(0, 365, n)
    value = rng.gamma(1, 1, n) * n_orders
    level = np.where(value > (np.median(value) if n else 0), "high", "low")
    scores = pd.DataFrame({"customer_id": ids, "e_value": value})
    scores["e_level"] = pd.Categorical(level, engagement.E_LEVELS, ordered=True)
    later = rng.poisson(0.2 * n_orders + effect * value)
    after = pd.DataFrame({"customer_id": ids, "orders_after": later, "sales_after": later * 9.0})
    return scores, customers, after[after["orders_after"] > 0]


@pytest.mark.parametrize(("effect", "verdict"), [(0.5, "adds"), (0.0, "follows_orders")])
def test_the_verdict_tells_activity_from_mere_ordering(effect, verdict):
    assert engagement.e_value_test(*shoppers(3_000, effect)).verdict == verdict


def test_shuffled_e_values_have_no_link():
    scores, customers, after = shoppers(3_000, 0.5)
    shuffled = scores.assign(e_value=np.random.default_rng(4).permutation(scores["e_value"]))
    test = engagement.e_value_test(shuffled, customers, after)
    assert test.verdict == "no_link"
    assert (test.table["correlation_low"] < 0).all()


@pytest.mark.parametrize("n", [0, 1, 3, 29])
def test_few_customers_are_too_thin(n):
    test = engagement.e_value_test(*shoppers(n, 0.5))
    assert test.verdict == "too_thin"
    assert len(test.levels) == len(engagement.E_LEVELS)


def test_all_equal_customers_are_too_thin_and_not_nan_verdicts():
    scores, customers, after = shoppers(100, 0.5)
    assert engagement.e_value_test(scores.assign(e_value=1.0), customers, after).verdict == "too_thin"


def test_outcomes_are_counted_per_group():
    table = pd.DataFrame({"customer_id": list("abcd"), "e_level": ["low", "low", "high", "high"]})
    after = pd.DataFrame({"customer_id": ["c", "zz"], "orders_after": [3, 9], "sales_after": [30.0, 90.0]})
    found = engagement.followed_by(table, "e_level", after).set_index("e_level")
    assert found["share_ordering"].to_dict() == {"high": 0.5, "low": 0.0}
    assert found["orders_per_customer"].to_dict() == {"high": 1.5, "low": 0.0}
    # Wilson's interval for 0 of 2: from 0 to z^2 / (2 + z^2).
    assert found.loc["low", "ordering_high"] == pytest.approx(1.959964**2 / (2 + 1.959964**2))


@pytest.fixture(scope="module")
def shop(sample):
    settings = load_settings(data=sample)
    orders = read(sample, settings)
    return orders, read_events(sample, settings, orders).table


def test_on_the_sample_activity_adds_to_the_orders(shop):
    """There only living customers look around, so events tell more than orders; in random order they do not."""
    orders, events = shop
    day = engagement.outcome_day(orders.as_of)
    early, after = customer_table(orders, day), orders_between(orders, day)
    scores = engagement.e_value(events, day, customers=early)
    test = engagement.e_value_test(scores, early, after)
    assert test.verdict == "adds"
    share = test.levels.set_index("e_level")["share_ordering"]
    assert share["highest"] > 2 * share["none"]
    assert after["orders_after"].sum() == orders_between(orders, day, orders.as_of)["orders_after"].sum()


def test_on_the_sample_more_have_changed_than_chance_makes(shop):
    orders, events = shop
    days = pd.date_range("2024-06-30", "2025-12-31", freq="2QE").date
    changed = sum((engagement.browsing_segments(events, day)["browsing"] == "just_changed").sum() for day in days)
    chance = sum(engagement.changed_by_chance(events, day) for day in days)
    assert changed > chance > 0
    assert orders.as_of == days[-1]


def test_category_purchases_do_not_know_the_future(shop):
    orders, _ = shop
    day = dt.date(2024, 6, 30)
    early, now = category_purchases(orders, day), category_purchases(orders)
    assert (early["last_bought"] <= pd.Timestamp(day)).all()
    assert len(early) < len(now)
    both = early.merge(now, on=["customer_id", "category"], suffixes=("", "_now"))
    assert (both["purchases"] <= both["purchases_now"] + 1e-9).mean() > 0.99

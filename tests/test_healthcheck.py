"""The health check: every bad segmentation is caught by its own check, a good one passes, thin data stay unknown."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from custvalue.beside import read_attributes
from custvalue.config import load_settings
from custvalue.customers import customer_table
from custvalue.errors import DataError, UsageError
from custvalue.grouphealth import segment_health
from custvalue.healthcheck import CHECKS, HEALTH, HealthRules, health_check, health_words
from custvalue.labels import LANGUAGES, catalogue
from custvalue.pipeline import month_before, read
from custvalue.pyramid import pyramid
from custvalue.segmentation import behaviour_segments

AS_OF = dt.date(2024, 6, 30)
KNOWN = ("income", "hair")


def shop(n=1_500, seed=1):
    """Customers whose behaviour, wealth, joining date, taste and margin have nothing to do with each other."""
    rng = np.random.default_rng(seed)
    n_orders, value = rng.integers(1, 30, n), rng.lognormal(4, 0.5, n)
    sales = n_orders * value
    return pd.DataFrame(
        {
            "customer_id": [f"c{i:05}" for i in range(n)],
            "n_orders": n_orders,
            "days_since_last": rng.integers(0, 300, n),
            "mean_gap_days": rng.integers(5, 200, n).astype(float),
            "mean_order_value": value,
            "n_categories": rng.integers(1, 5, n),
            "tenure_days": rng.integers(300, 900, n),
            "main_category": rng.choice(["tea", "cup", "pot"], n),
            "sales": sales,
            "margin": sales * rng.uniform(0.1, 0.4, n),
            "sales_12m": sales * rng.uniform(0, 1, n),
            "sales_prior_12m": sales * rng.uniform(0, 1, n),
            "income": rng.lognormal(10, 0.5, n),
            "hair": rng.choice(["black", "brown", "fair"], n),
        }
    )


def thirds(values):
    return pd.qcut(values, 3, labels=["low", "mid", "high"]).astype(str)


def found(table, segment, **options):
    given = {"actions": ["low", "mid", "high"], "attributes": KNOWN} | options
    return health_check(table.assign(segment=segment), "segment", **given).set_index("check")


def faults(findings):
    return set(findings.index[findings["health"] == "fail"])


def by_behaviour(table):
    busy, fresh = table["n_orders"] > 12, table["days_since_last"] < 100
    return np.select([busy & fresh, busy], ["high", "mid"], "low")


def cut_again(table):
    return pd.DataFrame({"customer_id": table["customer_id"], "segment": by_behaviour(table)})


def test_a_good_segmentation_passes_everything():
    table = shop()
    before = table[["customer_id"]].assign(segment=by_behaviour(table))
    before.loc[:99, "segment"] = "low"
    findings = found(table, by_behaviour(table), before=before, again=cut_again, as_of=AS_OF, made_on=AS_OF)
    assert set(findings["health"]) == {"ok"}
    assert list(findings.index) == list(CHECKS)


@pytest.mark.parametrize(
    ("column", "check"),
    [
        ("main_category", "product_only"),
        ("income", "assets_only"),
        ("tenure_days", "joining_date_only"),
        ("sales", "money_for_value"),
    ],
)
def test_a_segmentation_by_one_thing_is_caught_by_its_check(column, check):
    table = shop()
    codes = table[column].map({"tea": "low", "cup": "mid", "pot": "high"}) if column == "main_category" else None
    findings = found(table, thirds(table[column]) if codes is None else codes)
    only = {"product_only", "assets_only", "joining_date_only", "money_for_value"}
    assert faults(findings) & only == {check}
    assert findings.loc[check, "number"] > 0.95
    assert findings.loc["separability", "health"] == "ok"


@pytest.mark.parametrize("column", ["income", "tenure_days", "main_category", "hair"])
def test_groups_that_do_not_differ_in_behaviour_are_caught(column):
    table = shop()
    segment = thirds(table[column]) if column != "main_category" and column != "hair" else table[column]
    findings = found(table, segment)
    assert findings.loc["no_behaviour", "health"] == "fail"
    assert findings.loc["no_behaviour", "number"] < 0.1


def test_random_groups_fail_separability_and_resampling_and_nothing_is_said_of_their_making():
    table = shop()
    findings = found(table, np.random.default_rng(5).choice(["low", "mid", "high"], len(table)))
    assert {"separability", "no_behaviour", "resampling"} <= faults(findings)
    made_from = findings.loc[["product_only", "assets_only", "joining_date_only", "money_for_value"]]
    assert set(made_from["reason"]) == {"nothing_tells"}
    assert set(made_from["health"]) == {"unknown"}


def test_half_random_groups_are_not_stable():
    table = shop()
    noise = np.random.default_rng(6)
    mixed = np.where(
        noise.random(len(table)) < 0.6, noise.choice(["low", "mid", "high"], len(table)), by_behaviour(table)
    )
    assert found(table, mixed).loc["resampling", "health"] != "ok"


@pytest.mark.parametrize("seed", range(5))
def test_chance_in_few_customers_is_not_taken_for_a_difference(seed):
    table = shop(60, seed)
    findings = found(table, np.random.default_rng(100 + seed).choice(["low", "high"], 60))
    assert findings.loc["separability", "health"] in ("fail", "warn")
    assert findings.loc["no_behaviour", "health"] in ("fail", "warn")


def test_money_is_no_fault_where_value_goes_with_it():
    table = shop()
    rank = table["sales"].rank(pct=True)
    follows = found(table.assign(margin=table["sales"] * rank), thirds(table["sales"]))
    assert follows.loc["money_for_value", ["health", "reason"]].tolist() == ["ok", "money_follows"]
    unknown = found(table.drop(columns=["margin", "sales_12m"]), thirds(table["sales"]))
    assert unknown.loc["money_for_value", ["health", "reason"]].tolist() == ["warn", "money_unknown"]


def test_groups_without_an_action_have_no_purpose():
    table = shop()
    assert found(table, by_behaviour(table), actions=[]).loc["purpose", ["health", "number"]].tolist() == ["fail", 0.0]
    assert found(table, by_behaviour(table), actions=["low", "mid"]).loc["purpose", "health"] == "warn"
    assert health_check(table.assign(grade="x"), "grade").set_index("check").loc["purpose", "health"] == "fail"


@pytest.mark.parametrize(("made_on", "health"), [("2024-06-30", "ok"), ("2023-11-01", "warn"), ("2022-01-01", "fail")])
def test_old_groups_are_frozen(made_on, health):
    table = shop(300)
    findings = found(table, by_behaviour(table), rules=HealthRules(made_on=made_on), as_of=AS_OF)
    assert findings.loc["frozen", "health"] == health
    assert findings.loc["frozen", "number"] == (AS_OF - dt.date.fromisoformat(made_on)).days


def test_without_a_day_it_is_asked_whether_anybody_moved():
    table = shop(300).assign(segment=lambda t: by_behaviour(t))
    same = table[["customer_id", "segment"]]
    frozen = found(table, table["segment"], before=same).loc["frozen"]
    assert frozen[["health", "reason"]].tolist() == ["warn", "nobody_moved"]
    moved = same.assign(segment=np.roll(same["segment"], 1))
    assert found(table, table["segment"], before=moved).loc["frozen", "reason"] == "moves"
    assert found(table, table["segment"]).loc["frozen", "health"] == "unknown"


def test_groups_that_change_every_month_are_caught():
    table = shop(600)
    before = table[["customer_id"]].assign(segment=np.random.default_rng(7).choice(["low", "mid", "high"], 600))
    findings = found(table, by_behaviour(table), before=before)
    assert findings.loc["over_time", "health"] in ("warn", "fail")
    assert findings.loc["over_time", "number"] == pytest.approx((before["segment"] == by_behaviour(table)).mean())


@pytest.mark.parametrize(
    ("sizes", "small", "large"),
    [((500, 500), "ok", "ok"), ((980, 20), "warn", "fail"), ((850, 150), "ok", "warn"), ((995, 5), "fail", "fail")],
)
def test_sizes(sizes, small, large):
    table = shop(1_000)
    findings = found(table, np.repeat(["low", "high"], sizes))
    assert findings.loc["too_small", ["health", "number"]].tolist() == [small, min(sizes)]
    assert findings.loc["one_holds_all", "health"] == large


@pytest.mark.parametrize("n", [0, 1, 3, 49])
def test_few_customers_are_unknown_and_never_wrong(n):
    table = shop(max(n, 30)).head(n)
    findings = found(table, by_behaviour(table))
    measured = findings.loc[["product_only", "no_behaviour", "separability", "resampling", "over_time"]]
    assert set(measured["health"]) == {"unknown"}


def test_one_group_and_missing_groups():
    table = shop(200)
    findings = found(table, "low")
    assert findings.loc["one_holds_all", ["health", "reason"]].tolist() == ["fail", "one_group"]
    assert findings.loc["separability", "health"] == "unknown"
    nobody = found(table, pd.Series(np.nan, index=table.index, dtype="str"))
    assert nobody.loc[["purpose", "too_small", "one_holds_all"], "reason"].unique().tolist() == ["no_groups"]


def test_all_customers_equal():
    table = shop(200)
    equal = table.assign(**{name: table[name].iloc[0] for name in table.columns if name != "customer_id"})
    findings = found(equal, np.repeat(["low", "high"], 100))
    assert findings.loc["separability", "health"] in ("unknown", "fail")
    assert findings.loc["money_for_value", "reason"] == "money_missing"


def test_a_column_that_is_not_there_is_refused():
    with pytest.raises(UsageError, match=r"hairs.*hair"):
        health_check(shop(50), "hairs")


@pytest.mark.parametrize("rule", [{"made_on": "June"}, {"only": 0}, {"smallest": 0}, {"max_age_days": -1}])
def test_a_rule_out_of_range_is_refused(rule):
    with pytest.raises(UsageError, match=next(iter(rule))):
        HealthRules(**rule)


def test_the_table_is_not_changed_and_the_order_of_customers_does_not_matter():
    table = shop(400).assign(segment=lambda t: by_behaviour(t))
    kept = table.copy()
    one = health_check(table, "segment")
    pd.testing.assert_frame_equal(table, kept)
    pd.testing.assert_frame_equal(one, health_check(table.sample(frac=1, random_state=1), "segment"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_finding_has_its_words(language):
    texts = catalogue("health")
    reasons = [key.removeprefix("found_") for key in texts if key.startswith("found_")]
    for health in HEALTH:
        for check in CHECKS:
            rows = pd.DataFrame({"check": check, "health": health, "reason": reasons, "number": 0.5, "limit": 0.9})
            words = health_words(rows, language)
            assert (words["to_do"] == "").all() == (health == "ok")
            assert words["finding"].str.len().min() > 5


def test_the_behaviour_segments_of_the_sample_pass_and_the_pyramid_by_sales_takes_money_for_value(sample):
    settings = load_settings(data=sample)
    orders = read(sample, settings)
    customers, known = customer_table(orders), read_attributes(sample, settings)
    before = behaviour_segments(customer_table(orders, month_before(orders.as_of)))
    table = customers.merge(behaviour_segments(customers), on="customer_id").merge(known, on="customer_id", how="left")
    table = table.merge(pyramid(customers)[["customer_id", "tier"]], on="customer_id")
    options = {"attributes": [name for name in known if name != "customer_id"], "as_of": orders.as_of}
    segments = health_check(table, "segment", before=before, again=behaviour_segments, made_on=orders.as_of, **options)
    assert set(segments["health"]) == {"ok", "unknown"}
    assert segments.loc[segments["health"] == "unknown", "check"].tolist() == ["assets_only"]
    assert faults(health_check(table, "tier", **options).set_index("check")) == {"money_for_value"}
    assert "joining_date_only" not in faults(health_check(table, "age_band", **options).set_index("check"))


def test_own_groups_and_the_customer_table_may_have_a_column_of_one_name(sample):
    settings = replace(load_settings(data=sample), health=HealthRules(by="main_category"))
    orders = read(sample, settings)
    customers = customer_table(orders)
    mine = pd.DataFrame({"customer_id": customers["customer_id"][::-1], "main_category": "x", "n_orders": 1})
    found = segment_health(orders, customers, mine, settings).set_index("check")
    assert found.loc["one_holds_all", "reason"] == "one_group"
    with pytest.raises(DataError, match="more than once"):
        segment_health(orders, customers, pd.concat([mine, mine.head(1)]), settings)


def test_a_group_that_is_new_this_month_is_no_group_kept():
    table = pd.DataFrame({"customer_id": [f"c{i:03}" for i in range(200)], "segment": ["a", "b"] * 100, "sales": 1.0})
    before = table.assign(segment=["a", "z"] * 100)[["customer_id", "segment"]]
    for then in (before, before.astype({"segment": "category"})):
        found = health_check(table, "segment", before=then).set_index("check")
        assert found.loc["over_time", "number"] == 0.5

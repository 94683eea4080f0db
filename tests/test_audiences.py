"""Audiences: who is on a list and why, consent, and hold-outs that stay the same and are fair."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, chi2_contingency

import custvalue as cv
from custvalue.audiences import (
    STANDARD_AUDIENCES,
    AudienceList,
    AudienceRules,
    audience_lists,
    audience_table,
    held_out,
    standard_lists,
)
from custvalue.config import load_settings
from custvalue.errors import UsageError
from custvalue.labels import catalogue
from custvalue.pyramid import just_under, pyramid

DAY = dt.date(2025, 12, 31)


def only(rules=None, **lists):
    return AudienceRules(standard=False, lists=lists, **(rules or {}))


@pytest.fixture
def table():
    return pd.DataFrame(
        {
            "customer_id": ["a", "b", "c", "d", "e"],
            "tier": pd.Categorical(["gold", "gold", "lead", "iron", None], cv.pyramid.TIERS, ordered=True),
            "sales": [500.0, 1234.5, 20.0, None, 70.0],
            "last_order": pd.to_datetime(["2025-01-02", "2025-02-03", "2025-03-04", None, "2025-05-06"]),
            "consent": ["yes", "否", "1", None, "perhaps"],
        }
    )


@pytest.fixture(scope="module")
def sample_table(sample):
    settings = load_settings(data=sample)
    orders = cv.read(sample, settings)
    customers, attributes = cv.customer_table(orders), cv.read_attributes(sample, settings)
    forecast = cv.lifetime.forecast(customers, orders.as_of, settings.lifetime)
    now = cv.scorecard(customers, orders.as_of, settings, attributes, forecast)
    return audience_table(now, customers, attributes, cv.read_events(sample, settings).table)


def test_only_who_consented_is_on_a_list_and_the_others_are_counted(table):
    found = audience_lists(table, DAY, only(everybody=AudienceList("customer_id is not missing", hold_out=0.0)))
    assert found.lists["customer_id"].tolist() == ["a", "c"]
    row = found.summary.iloc[0]
    counts = ["n_matched", "n_no_consent", "n_consent_unknown", "n_beyond_limit", "n_held_out", "n_to_contact"]
    assert row[counts].tolist() == [5, 1, 2, 0, 0, 2]
    assert found.totals == {"contacts": 2, "held": 0, "no_consent": 3}
    assert found.notes == ()


def test_without_a_consent_column_it_is_said(table):
    found = audience_lists(table.drop(columns="consent"), DAY, only(all=AudienceList("sales > 0")))
    assert found.notes == ("no_consent_column",)
    assert len(found.lists) == 4
    assert "consent" in str(cv.notes("audiences", found.notes))


def test_consent_that_nobody_can_read_means_no_contact(table):
    found = audience_lists(table.assign(consent="maybe"), DAY, only(all=AudienceList("sales > 0")))
    assert found.lists.empty
    assert found.notes == ("consent_not_understood",)


@pytest.mark.parametrize(
    ("language", "why"),
    [
        ("en", "Tier: B · Gold; Sales (CNY): 500; Last order: 2025-01-02"),
        ("zh", "客户层级：B 黄金客户；销售额（元）：500；最近购买日：2025-01-02"),
    ],
)
def test_the_reason_names_the_figures_of_the_condition_and_the_order(table, language, why):
    asked = AudienceList("tier = 'gold' and sales > 100 and tier != 'lead'", by="last_order desc, sales")
    found = audience_lists(table, DAY, only(best=asked), language=language, currency="CNY")
    assert found.lists["why"].tolist() == [why]


def test_the_action_is_of_the_catalogue_or_as_written(table):
    lists = {
        "one": AudienceList("sales > 100", action="win_back"),
        "two": AudienceList("sales > 100", action="Call them"),
    }
    found = audience_lists(table, DAY, only(**lists)).lists.set_index("audience")["what_to_do"]
    assert found["one"].startswith("Win back: ")
    assert found["two"] == "Call them"


def test_the_limit_keeps_the_first_of_the_order(table):
    full = table.assign(consent=1)
    found = audience_lists(full, DAY, only({"limit": 2}, top=AudienceList("sales > 0", by="sales desc")))
    assert found.lists["customer_id"].tolist() == ["b", "a"]
    assert found.lists["list_place"].tolist() == [1, 2]
    assert found.summary["n_beyond_limit"].tolist() == [2]
    own = audience_lists(full, DAY, only({"limit": 2}, top=AudienceList("sales > 0", limit=0)))
    assert len(own.lists) == 4


def test_how_many_lists_a_customer_is_on(table):
    lists = {"one": AudienceList("sales > 400"), "two": AudienceList("sales > 10")}
    found = audience_lists(table.assign(consent=1), DAY, only(**lists)).lists
    assert found.drop_duplicates("customer_id").set_index("customer_id")["n_lists"].to_dict() == {
        "a": 2,
        "b": 2,
        "c": 1,
        "e": 1,
    }
    assert (found["listed_on"] == pd.Timestamp(DAY)).all()


@pytest.mark.parametrize("n", [0, 1, 3])
def test_tables_of_hardly_anybody(table, n):
    small = table.head(n)
    found = audience_lists(small, DAY, only(all=AudienceList("sales > 0")))
    assert len(found.lists) <= n
    assert found.summary["audience"].tolist() == ["all"]


IDS = [f"C{i:05d}" for i in range(20_000)]


def test_the_draw_is_fixed_for_all_time():
    """A change here would put customers of running campaigns into the other group."""
    assert np.flatnonzero(held_out(IDS[:60], "win_back", 0.1)).tolist() == GOLDEN


GOLDEN = [1, 22, 58]


@pytest.mark.parametrize("share", [0.0, 0.05, 0.1, 0.5, 0.99])
def test_the_share_held_out_is_within_binomial_bounds(share):
    for name in ("win_back", "赢回", "x"):
        low, high = binom.interval(0.9999, len(IDS), share)
        assert low <= held_out(IDS, name, share).sum() <= high


def test_the_draw_does_not_depend_on_order_or_company():
    drawn = dict(zip(IDS, held_out(IDS, "care", 0.1), strict=True))
    some = list(np.random.default_rng(1).permutation(IDS)[:500])
    assert held_out(some, "care", 0.1).tolist() == [drawn[one] for one in some]


def test_a_larger_share_only_adds_customers():
    small, large = held_out(IDS, "care", 0.1), held_out(IDS, "care", 0.2)
    assert not (small & ~large).any()


def test_lists_and_seeds_draw_independently():
    one, other, again = held_out(IDS, "a", 0.1), held_out(IDS, "b", 0.1), held_out(IDS, "a", 0.1, seed=2)
    for both in (one & other, one & again):
        low, high = binom.interval(0.9999, len(IDS), 0.01)
        assert low <= both.sum() <= high


def test_the_name_of_a_list_and_an_id_do_not_run_together():
    assert not np.array_equal(held_out(IDS, "a", 0.5), held_out([f"C{one}" for one in IDS], "", 0.5))


def test_the_same_customers_are_held_out_next_month(sample_table):
    now = audience_lists(sample_table, DAY).lists
    later = audience_lists(sample_table.sample(frac=0.7, random_state=1), dt.date(2026, 1, 31)).lists
    both = now.merge(later, on=["audience", "customer_id"])
    assert len(both) > 500
    assert (both["held_out_x"] == both["held_out_y"]).all()


def test_hold_outs_are_balanced_on_tier_and_stage(sample_table):
    asked = only({"limit": 0, "hold_out": 0.3}, everybody=AudienceList("sales > 0"))
    found = audience_lists(sample_table, DAY, asked).lists
    for kind in ("tier", "stage", "segment"):
        assert chi2_contingency(pd.crosstab(found[kind].astype(str), found["held_out"])).pvalue > 0.001


def test_the_standard_lists_of_the_sample_hold_whom_they_say(sample_table):
    found = audience_lists(sample_table, DAY, AudienceRules(limit=0), currency="CNY")
    assert list(found.titles) == list(STANDARD_AUDIENCES)
    assert (found.summary["n_to_contact"] > 10).all()
    rows = found.lists.merge(sample_table, on="customer_id", suffixes=("", "_"))
    assert (rows["consent"] == 1).all()
    assert set(rows.loc[rows["audience"] == "win_back", "stage"]) == {"decline"}
    leaders = rows[rows["audience"] == "opinion_leaders"]
    assert (leaders["n_suggestions"] >= 2).all()
    assert (leaders["n_brought"] >= 1).all()
    assert set(rows.loc[rows["audience"] == "key_accounts", "tier"]) == {"platinum", "gold"}
    in_person = found.lists["audience"].isin(["key_accounts", "opinion_leaders", "care"])
    assert not found.lists.loc[in_person, "held_out"].any()
    assert found.lists["why"].str.len().min() > 5
    assert found.lists["what_to_do"].str.len().min() > 5


def test_just_under_is_that_of_the_pyramid(sample_table):
    ranked = pyramid(sample_table)
    near = just_under(ranked).set_index("customer_id")["to_cut"]
    found = sample_table.dropna(subset="to_cut").set_index("customer_id")["to_cut"]
    pd.testing.assert_series_equal(found.sort_index(), near.sort_index())


def test_what_a_scorecard_alone_allows(table):
    scorecard = table.drop(columns="consent").assign(
        stage=pd.Categorical(["decline"] * 5, cv.churn.STAGES, ordered=True),
        segment=pd.Categorical(["dormant"] * 5, cv.segmentation.SEGMENTS, ordered=True),
        overdue=1.5,
        days_since_last=10,
        clv_12m=1.0,
        value_at_risk=1.0,
    )
    found = audience_lists(audience_table(scorecard), DAY)
    assert "opinion_leaders" not in found.titles
    assert "list_impossible:opinion_leaders" in found.notes
    assert "Opinion leaders" in str(cv.notes("audiences", found.notes))


def test_next_best_offers_are_used_where_they_are_known(sample_table):
    offers = pd.DataFrame({"customer_id": sample_table["customer_id"][:300], "next_category": "shoes"})
    found = audience_lists(
        audience_table(sample_table, offers=offers), DAY, words={"next_category": {"shoes": "Shoes"}}
    )
    rows = found.lists[found.lists["audience"] == "next_offer"]
    assert set(rows["customer_id"]) <= set(offers["customer_id"])
    assert rows["why"].str.contains("Shoes").all()


def test_every_standard_list_has_a_title_and_an_action_in_both_languages():
    assert tuple(catalogue("labels")["audience"]) == STANDARD_AUDIENCES
    lists, texts = standard_lists(["n_brought", "next_tier"]), catalogue("audiences")
    assert set(texts) == {name for name, asked in lists.items() if not asked.action}


def test_no_table_is_changed(table):
    before = table.copy(deep=True)
    audience_lists(audience_table(table), DAY, only(all=AudienceList("sales > 0", by="sales")))
    pd.testing.assert_frame_equal(table, before)


def settings_of(tmp_path, text):
    file = tmp_path / "custvalue.toml"
    file.write_text(text, "utf-8")
    return load_settings(str(file))


def test_lists_from_the_config(tmp_path):
    rules = settings_of(
        tmp_path,
        """
        [audiences]
        hold_out = 0.2
        [audiences.lists.east_vip]
        title = {en = "East", zh = "东部"}
        where = "tier = 'gold' and sales between 1 and 9"
        by = "sales desc"
        limit = 5
        """,
    ).audiences
    assert rules.hold_out == 0.2
    assert rules.lists["east_vip"] == AudienceList(
        "tier = 'gold' and sales between 1 and 9", "sales desc", {"en": "East", "zh": "东部"}, 5
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[audiences.lists.x]\nwhere = \"__import__('os')\"", "can not be read"),
        ("[audiences.lists.x]\nby = 'sales'", r"audiences\.where"),
        ("[audiences.lists.x]\nwhere = 'sales > 1'\nby = 'sales; x'", "The order"),
        (
            "[audiences.lists.x]\nwhere = 'sales > 1'\nwhen = 1",
            r"audiences\.lists\.x\.when.*audiences\.lists\.x\.where",
        ),
        ("[audiences.lists.x]\nwhere = 5", r"audiences\.lists\.x\.where"),
        ("[audiences.lists]\nx = 5", r"audiences\.lists\.x"),
        ("[audiences.lists.x]\nwhere = 'sales > 1'\nhold_out = 1.0", r"audiences\.hold_out"),
        ("[audiences.lists.x]\nwhere = 'sales > 1'\nlimit = -1", r"audiences\.limit"),
        ("[audiences.lists.x]\nwhere = 'sales > 1'\ntitle = {fr = 'x'}", r"audiences\.title"),
        ("[audiences.lists.'../../etc']\nwhere = 'sales > 1'", "audience name"),
        ("[audiences.lists.'a b']\nwhere = 'sales > 1'", "audience name"),
        ("[audiences.lists.VIP]\nwhere = 'sales > 1'\n[audiences.lists.vip]\nwhere = 'sales > 1'", "audience name"),
        (f"[audiences.lists.{'x' * 41}]\nwhere = 'sales > 1'", "audience name"),
        ("[audiences]\nhold_out = -0.1", r"audiences\.hold_out"),
    ],
)
def test_what_the_config_may_not_say(tmp_path, text, said):
    with pytest.raises(UsageError, match=said):
        settings_of(tmp_path, text)


def test_a_misspelt_code_is_found_when_the_lists_are_made(table):
    with pytest.raises(UsageError, match='Did you mean "platinum"'):
        audience_lists(table, DAY, only(x=AudienceList("tier = 'platinm'")))

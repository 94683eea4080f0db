"""Did it work: uplift against published numbers and known simulated truth, and what can not be told."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

import custvalue as cv
from custvalue.campaigns import campaign_notes, sent_from_lists, with_responses, with_segments
from custvalue.errors import DataError, UsageError
from custvalue.simulate.rules import CAMPAIGNS
from custvalue.uplift import WORKED, CampaignRules, campaign_results, next_time, uplift_interval


def mailing(sent, responses, out, responses_out, code="m", cost=1.0, revenue=100.0, **more):
    """A campaign with so many written to and held out, and so many responses of each."""
    n = sent + out
    responded = np.r_[np.arange(sent) < responses, np.arange(out) < responses_out]
    return pd.DataFrame(
        {
            "customer_id": [f"{code}{i}" for i in range(n)],
            "campaign": code,
            "sent_date": pd.Timestamp("2024-03-01"),
            "hold_out": np.arange(n) >= sent,
            "responded": pd.array(responded, dtype="boolean"),
            "revenue": responded * revenue,
            "cost": np.where(np.arange(n) >= sent, 0.0, cost),
            **more,
        }
    )


@pytest.mark.parametrize(
    ("counts", "published"),
    [
        ((56, 70, 48, 80), (0.0524, 0.3339)),
        ((9, 10, 3, 10), (0.1705, 0.8090)),
        ((6, 7, 2, 7), (0.0582, 0.8062)),
        ((5, 56, 0, 29), (-0.0381, 0.1926)),
        ((0, 10, 0, 20), (-0.1611, 0.2775)),
        ((10, 10, 0, 20), (0.6791, 1.0000)),
        ((10, 10, 0, 10), (0.6075, 1.0000)),
    ],
)
def test_the_interval_of_newcombe_1998(counts, published):
    """Table II of the paper, method 10."""
    _, low, high = uplift_interval(*counts)
    assert (low, high) == pytest.approx(published, abs=6e-5)


def test_wilson_against_its_closed_form():
    found = campaign_results(mailing(81, 15, 67, 9)).iloc[0]
    z, n, p = 1.959964, 81, 15 / 81
    middle, half = p + z * z / 2 / n, z * np.sqrt(p * (1 - p) / n + z * z / 4 / n / n)
    assert found["response_low"] == pytest.approx((middle - half) / (1 + z * z / n), abs=1e-6)
    assert found["response_high"] == pytest.approx((middle + half) / (1 + z * z / n), abs=1e-6)


def coverage(rng, runs, sent, out, base, uplift):
    held = 0
    for k1, k0 in zip(rng.binomial(sent, base + uplift, runs), rng.binomial(out, base, runs), strict=True):
        _, low, high = uplift_interval(int(k1), sent, int(k0), out)
        held += low <= uplift <= high
    return held / runs


@pytest.mark.parametrize(
    ("sent", "out", "base", "uplift"), [(900, 100, 0.06, 0.04), (300, 35, 0.03, 0.04), (80, 80, 0.3, 0)]
)
def test_the_interval_holds_the_truth_about_95_times_in_100(sent, out, base, uplift):
    assert 0.93 <= coverage(np.random.default_rng(5), 600, sent, out, base, uplift) <= 0.99


def test_over_several_campaigns_the_interval_holds_too():
    """Three campaigns of unlike base rates and hold-out shares: pooled uplift, 80 times."""
    rng, truth, held = np.random.default_rng(3), 0.05, 0
    plan = [(400, 40, 0.02), (200, 100, 0.10), (300, 60, 0.05)]
    for _ in range(80):
        parts = [
            mailing(n, rng.binomial(n, base + truth), out, rng.binomial(out, base), str(i), channel="sms")
            for i, (n, out, base) in enumerate(plan)
        ]
        found = campaign_results(pd.concat(parts), "channel").iloc[0]
        held += found["uplift_low"] <= truth <= found["uplift_high"]
    assert held / 80 >= 0.9


def test_unlike_campaigns_do_not_pass_for_an_effect():
    """Simpson: within each campaign nothing happens, but the list with the high base rate was held out less."""
    parts = [mailing(900, 180, 100, 20, "best", list="a"), mailing(500, 10, 500, 10, "rest", list="a")]
    found = campaign_results(pd.concat(parts), "list").iloc[0]
    assert found["response_rate"] - found["response_rate_out"] > 0.05
    assert found["uplift"] == pytest.approx(0)
    assert found["worked"] == "open"


@pytest.fixture(scope="module")
def sample_sent(sample):
    return with_responses(cv.read_campaigns(sample).table, None, dt.date(2025, 12, 31))


def test_the_sample_holds_its_true_effects(sample_sent):
    found = campaign_results(sample_sent).set_index("campaign")
    assert set(found.index) == {campaign.code for campaign in CAMPAIGNS}
    for campaign in CAMPAIGNS:
        row = found.loc[campaign.code]
        assert row["uplift_low"] <= campaign.uplift <= row["uplift_high"], campaign.code
        assert row["response_low"] <= campaign.base + campaign.uplift <= row["response_high"], campaign.code
        assert row["n_sent"] + row["n_held_out"] == (sample_sent["campaign"] == campaign.code).sum()


def test_the_sample_by_channel(sample_sent):
    found = campaign_results(sample_sent, "channel").set_index("channel")
    for channel in ("sms", "email"):
        own = [(c, ((sample_sent["campaign"] == c.code) & ~sample_sent["hold_out"]).sum()) for c in CAMPAIGNS]
        own = [(c.uplift, n) for c, n in own if c.channel == channel]
        truth = np.average([u for u, _ in own], weights=[n for _, n in own])
        assert found.loc[channel, "uplift_low"] <= truth <= found.loc[channel, "uplift_high"]
    assert found.loc["mail", "against_mail"] == "like"


def test_cost_gain_and_payback_by_hand():
    customers = pd.DataFrame({"customer_id": [f"m{i}" for i in range(2000)], "sales": 200.0, "margin": 50.0})
    found = campaign_results(mailing(1000, 200, 1000, 100, cost=0.5), customers=customers).iloc[0]
    assert found["uplift"] == pytest.approx(0.1)
    assert found["cost"] == 500
    assert found["cost_per_contact"] == 0.5
    assert found["cost_per_response"] == 2.5
    assert found["cost_per_win"] == pytest.approx(5)  # 100 responses more than without
    assert found["break_even"] == pytest.approx(0.02)  # 0.50 a contact, 25 margin a response
    assert found["gain"] == pytest.approx(100 * 25 - 500)
    assert found["return_rate"] == pytest.approx(4)
    assert found["payback_days"] == pytest.approx(6)  # 2.50 a contact in 30 days pays 0.50 in 6
    assert found["revenue_uplift"] == pytest.approx(10)
    assert found["revenue_low"] < 10 < found["revenue_high"]
    assert found["worked"] == "works"
    assert np.isnan(found["n_needed"])


def test_the_stated_margin_rate_counts_where_no_margin_is_known():
    found = campaign_results(mailing(1000, 200, 1000, 100, cost=0.5), margin_rate=0.25).iloc[0]
    assert found["gain"] == pytest.approx(2000)


def test_without_margin_there_is_no_gain():
    found = campaign_results(mailing(1000, 200, 1000, 100)).iloc[0]
    assert found[["gain", "gain_low", "return_rate", "payback_days", "break_even"]].isna().all()
    assert found["cost_per_win"] == pytest.approx(10)


def test_without_cost_there_is_no_price():
    found = campaign_results(mailing(1000, 200, 1000, 100).drop(columns="cost"), margin_rate=0.3).iloc[0]
    assert found[["cost", "cost_per_win", "gain", "return_rate", "payback_days"]].isna().all()
    assert found["worked"] == "works"


def test_a_campaign_without_cost_has_paid_back_at_once():
    found = campaign_results(mailing(1000, 200, 1000, 100, cost=0.0), margin_rate=0.3).iloc[0]
    assert found["payback_days"] == 0
    assert np.isnan(found["return_rate"])


def test_what_does_not_pay_in_the_window_has_no_payback():
    found = campaign_results(mailing(1000, 200, 1000, 100, cost=50.0), margin_rate=0.3).iloc[0]
    assert np.isnan(found["payback_days"])
    assert found["gain"] < 0


@pytest.mark.parametrize(
    ("counts", "worked"),
    [
        ((1000, 200, 1000, 100), "works"),
        ((1000, 100, 1000, 200), "harms"),
        ((1000, 100, 100, 9), "open"),
        ((1000, 1000, 100, 100), "open"),
        ((1000, 1000, 100, 0), "works"),
        ((1000, 0, 100, 0), "open"),
        ((1000, 500, 19, 0), "too_few"),
        ((1000, 500, 0, 0), "no_hold_out"),
        ((0, 0, 30, 3), "unknown"),
        ((1, 1, 0, 0), "no_hold_out"),
        ((1, 1, 1, 0), "too_few"),
    ],
)
def test_the_verdict(counts, worked):
    found = campaign_results(mailing(*counts), margin_rate=0.3)
    assert found["worked"].tolist() == [worked]
    assert list(found["worked"].cat.categories) == list(WORKED)


def test_money_that_does_not_vary_gives_no_range():
    found = campaign_results(mailing(1000, 1000, 100, 100)).iloc[0]
    assert found["revenue_uplift"] == 0
    assert np.isnan(found["revenue_low"])


def test_few_responses_give_no_range_of_the_money():
    found = campaign_results(mailing(1000, 200, 100, 4)).iloc[0]
    assert np.isnan(found["revenue_low"])
    assert found["revenue_uplift"] == pytest.approx(16)


def test_the_customers_needed_would_be_enough():
    """Four times out of five a list of n_needed customers with the same effect shows it."""
    found = campaign_results(mailing(450, 45, 50, 3)).iloc[0]
    assert found["worked"] == "open"
    n, rng = int(found["n_needed"]), np.random.default_rng(1)
    assert n > 500
    sent, out = round(0.9 * n), round(0.1 * n)
    lows = [
        uplift_interval(int(k1), sent, int(k0), out)[1]
        for k1, k0 in zip(rng.binomial(sent, 0.10, 300), rng.binomial(out, 0.06, 300), strict=True)
    ]
    assert 0.7 <= np.mean(np.array(lows) > 0) <= 0.97


def days(*rows):
    table = pd.DataFrame(rows, columns=["customer_id", "order_date", "sales"])
    return table.assign(order_date=pd.to_datetime(table["order_date"]))


def test_responses_from_orders_count_from_the_day_of_sending_to_the_end_of_the_window():
    sent = mailing(5, 0, 1, 0).drop(columns=["responded", "revenue"])
    bought = days(
        ("m0", "2024-03-01", 10.0),
        ("m1", "2024-03-31", 20.0),
        ("m2", "2024-04-01", 30.0),
        ("m3", "2024-02-29", 40.0),
        ("m0", "2024-03-15", 5.0),
        ("stranger", "2024-03-15", 5.0),
    )
    found = with_responses(sent, bought, dt.date(2024, 12, 31))
    assert found["responded"].tolist() == [True, True, False, False, False, False]
    assert found["revenue"].tolist() == [15.0, 20.0, 0, 0, 0, 0]
    assert campaign_notes(found) == ("by_orders:30",)


def test_of_a_window_that_is_not_over_only_the_days_so_far_count():
    sent = mailing(2, 0, 1, 0).drop(columns=["responded", "revenue"])
    found = with_responses(sent, days(("m0", "2024-03-10", 1.0), ("m1", "2024-03-20", 1.0)), dt.date(2024, 3, 12))
    assert found["responded"].tolist() == [True, False, False]
    assert campaign_notes(found) == ("by_orders:30", "so_far:11")


def test_what_was_sent_after_the_day_does_not_count_yet():
    assert with_responses(mailing(2, 0, 1, 0), None, dt.date(2024, 2, 29)).empty


def test_responses_known_only_of_those_written_to_are_not_set_against_nothing():
    """A file of clicks can not know whether the held-out bought: orders must tell for both."""
    sent = mailing(100, 50, 50, 0)
    sent.loc[sent["hold_out"], "responded"] = pd.NA
    alone = with_responses(sent)
    assert alone["responded"].isna().all()
    assert campaign_results(alone)["worked"].tolist() == ["unknown"]
    assert "nobody_tells" in campaign_notes(alone)
    both = with_responses(sent, days(("m0", "2024-03-02", 5.0), ("m120", "2024-03-02", 5.0)))
    assert both["told_by"].unique().tolist() == ["orders"]
    assert both["responded"].sum() == 2


def test_an_empty_cell_is_no_response_where_others_are_marked():
    sent = mailing(3, 0, 3, 0).assign(responded=pd.array([True, pd.NA, pd.NA, True, pd.NA, pd.NA], dtype="boolean"))
    assert with_responses(sent)["responded"].tolist() == [True, False, False, True, False, False]


def test_nobody_held_out_is_said():
    sent = with_responses(mailing(10, 2, 0, 0))
    assert campaign_notes(sent) == ("no_hold_out:m",)
    assert next_time(campaign_results(sent), "campaign") == ("findings.next_time_no_hold_out", {})


def test_a_missing_hold_out_column_means_that_nobody_was():
    sent = with_responses(mailing(10, 2, 0, 0).drop(columns="hold_out"))
    assert campaign_results(sent)["n_sent"].tolist() == [10]


def test_which_to_use_next_time():
    good, fair = mailing(5000, 1500, 500, 50, "good"), mailing(5000, 700, 500, 50, "fair")
    poor = mailing(5000, 500, 500, 50, "poor")
    key, values = next_time(campaign_results(pd.concat([good, fair, poor])), "campaign", {"good": "The good one"})
    assert (key, values["best"], values["second"]) == ("findings.next_time_sure", "The good one", "fair")
    close = campaign_results(pd.concat([good, mailing(5000, 1490, 500, 50, "close")]))
    assert next_time(close, "campaign")[0] == "findings.next_time_unsure"
    assert next_time(campaign_results(good), "campaign")[0] == "findings.next_time_only"
    key, values = next_time(campaign_results(mailing(450, 45, 50, 3)), "campaign")
    assert key == "findings.next_time_open"
    assert values["n"] > 500
    assert next_time(campaign_results(poor), "campaign") == ("findings.next_time_none", {})
    assert next_time(campaign_results(poor.head(0)), "campaign")[0] == "findings.next_time_nothing"


def test_the_best_is_the_one_with_most_gain_where_all_have_one():
    dear = mailing(5000, 1500, 500, 50, "dear", cost=10.0)
    cheap = mailing(5000, 1200, 500, 50, "cheap", cost=0.1)
    found = campaign_results(pd.concat([dear, cheap]), margin_rate=0.3)
    assert next_time(found, "campaign")[1]["best"] == "cheap"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_sentence_can_be_said(language):
    tables = [mailing(5000, 1500, 500, 50), mailing(450, 45, 50, 3), mailing(50, 5, 0, 0), mailing(5000, 500, 500, 50)]
    tables += [pd.concat([tables[0], mailing(5000, k, 500, 50, "b")]) for k in (700, 1490)]
    said = {
        str(cv.say(key, language, **values))
        for key, values in (next_time(campaign_results(t), "campaign") for t in tables)
    }
    assert len(said) == 6
    assert not [words for words in said if "nan" in words or "{" in words]


def test_lists_of_last_month_become_campaigns():
    lists = pd.DataFrame(
        {
            "audience": pd.Categorical(["care", "care", "win_back"]),
            "customer_id": ["a", "b", "c"],
            "channel": ["sms", "sms", ""],
            "held_out": [True, False, False],
            "listed_on": pd.Timestamp("2024-02-29"),
            "segment": ["monthly", "dormant", "dormant"],
        }
    )
    sent = with_responses(sent_from_lists(lists), days(("b", "2024-03-05", 9.0)), dt.date(2024, 3, 31))
    found = campaign_results(sent).set_index("campaign")
    assert found["n_sent"].to_dict() == {"care": 1, "win_back": 1}
    assert found["response_rate"].to_dict() == {"care": 1.0, "win_back": 0.0}
    assert campaign_results(sent, "segment")["segment"].tolist() == ["dormant", "monthly"]


def test_the_segment_is_that_before_sending(sample):
    """No order of the day of sending or later changes it."""
    orders = cv.read(sample)
    sent = cv.read_campaigns(sample).table
    sent = sent[sent["campaign"] == "second_visit"]
    found = with_segments(sent, orders)
    before = cv.segmentation.behaviour_segments(cv.customer_table(orders, dt.date(2025, 3, 9)))
    expected = sent["customer_id"].map(before.set_index("customer_id")["segment"].astype(str))
    assert found["segment"].astype(str).tolist() == expected.tolist()
    assert (found["segment"] == "first_time").mean() > 0.9  # the list was of one-time buyers


def test_no_table_is_changed(sample_sent):
    before = sample_sent.copy(deep=True)
    campaign_results(sample_sent, customers=pd.DataFrame({"customer_id": ["C00001"], "sales": [1.0], "margin": [1.0]}))
    pd.testing.assert_frame_equal(sample_sent, before)


def test_the_order_of_rows_does_not_matter(sample_sent):
    shuffled = sample_sent.sample(frac=1, random_state=2)
    pd.testing.assert_frame_equal(campaign_results(shuffled), campaign_results(sample_sent), check_exact=False)


def test_wrong_calls():
    with pytest.raises(UsageError, match='no usable column "chanel"'):
        campaign_results(mailing(5, 1, 5, 1, channel="sms"), "chanel")
    with pytest.raises(DataError, match="hold_out"):
        campaign_results(pd.DataFrame({"customer_id": ["a"], "campaign": ["m"], "responded": [1], "revenue": [0.0]}))
    with pytest.raises(DataError, match="sent_date"):
        with_responses(pd.DataFrame({"customer_id": ["a"], "campaign": ["m"]}))
    with pytest.raises(UsageError, match=r"campaigns\.response_days"):
        CampaignRules(response_days=0)
    with pytest.raises(UsageError, match=r"campaigns\.level"):
        CampaignRules(level=1.0)


def test_long_names_are_on_lines_of_their_own_and_keep_their_counts():
    """Of two lists whose names begin alike the whole name is seen, and the counts are never cut off."""
    names = {"a": "Build: valuable customers overdue for an order", "b": "Build: new customers"}
    results = campaign_results(pd.concat([mailing(1448, 30, 152, 2, "a"), mailing(90, 9, 10, 0, "b")]))
    said = [label.get_text() for label in cv.plot_uplift(results, labels=names).get_yticklabels()]
    assert said == [
        "Build: valuable customers overdue\nfor an order\n(1,448 / 152 held out)",
        "Build: new customers\n(90 / 10 held out)",
    ]
    longest = cv.plot_responses(results, labels={"a": "x" * 300}).get_yticklabels()[0].get_text()
    assert max(map(len, longest.split("\n"))) < 60

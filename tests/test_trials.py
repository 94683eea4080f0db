"""How many must be held out: against published sizes and the verdict itself, simulated; what is said of it."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from custvalue.errors import UsageError
from custvalue.findings import campaign_finding, trial_finding
from custvalue.labels import LANGUAGES
from custvalue.shown import Missing
from custvalue.trials import list_needed, rise_told, trial_sizes
from custvalue.uplift import CampaignRules, campaign_results, uplift_interval


@pytest.mark.parametrize(
    ("rates", "power", "published"),
    [
        ((0.50, 0.75), 0.90, 76.7),  # R, power.prop.test: n = 76.7 in each group
        ((0.10, 0.20), 0.80, 199),  # textbook tables without correction for continuity: 199 in each group
        ((0.40, 0.60), 0.80, 97),
    ],
)
def test_equal_groups_against_published_sizes(rates, power, published):
    found = list_needed(rates[0], rates[1] - rates[0], 0.5, power=power) / 2
    assert found == pytest.approx(published, abs=1)


@pytest.mark.parametrize(("rate", "share"), [(0.10, 0.1), (0.02, 0.1), (0.3, 0.5), (0.0, 0.2)])
@pytest.mark.parametrize("rise", [0.02, 0.1])
def test_the_rise_told_is_that_of_the_list_needed(rate, share, rise):
    n = list_needed(rate, rise, share)
    assert rise_told(rate, round(n * (1 - share)), round(n * share)) == pytest.approx(rise, rel=0.02)


@pytest.mark.parametrize(("rate", "rise", "share"), [(0.10, 0.05, 0.1), (0.05, 0.05, 0.5), (0.3, 0.1, 0.2)])
def test_four_trials_of_five_of_that_size_come_out_as_works(rate, rise, share):
    """The verdict of campaign_results (Newcombe's range above 0), simulated with the size that is stated."""
    n = list_needed(rate, rise, share)
    out = round(n * share)
    rng = np.random.default_rng(11)
    sent, held = rng.binomial(n - out, rate + rise, 400), rng.binomial(out, rate, 400)
    works = [uplift_interval(int(k1), n - out, int(k0), out)[1] > 0 for k1, k0 in zip(sent, held, strict=True)]
    assert 0.72 <= np.mean(works) <= 0.88


def test_half_held_out_needs_the_fewest():
    sizes = [list_needed(0.1, 0.02, share) for share in (0.1, 0.3, 0.5, 0.7, 0.9)]
    assert min(sizes) == sizes[2]


def test_what_no_number_can_tell_is_missing():
    assert math.isnan(rise_told(0.1, 0, 100))
    assert math.isnan(rise_told(0.1, 100, 0))
    assert math.isnan(rise_told(0.9, 9, 1))
    assert math.isnan(rise_told(1.0, 900, 100))


@pytest.mark.parametrize("wrong", [{"rise": 0}, {"rise": 0.95}, {"share_out": 0}, {"share_out": 1}, {"rate": -0.1}])
def test_what_is_no_share_is_refused(wrong):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        list_needed(**{"rate": 0.1, "rise": 0.02} | wrong)


def lists(*rows):
    """Results of lists, each with its numbers of written to, held out and their responses."""
    parts = []
    for code, (n, k, out, k0) in enumerate(rows):
        responded = np.r_[np.arange(n) < k, np.arange(out) < k0]
        part = pd.DataFrame({"customer_id": [f"{code}-{i}" for i in range(n + out)], "responded": responded})
        parts.append(part.assign(list=str(code), campaign=str(code), hold_out=np.arange(n + out) >= n, revenue=0.0))
    return campaign_results(pd.concat(parts), "list")


def test_the_trial_with_most_held_out_is_told():
    found = trial_sizes(lists((900, 90, 100, 10), (2000, 20, 30, 0), (50, 5, 0, 0)))
    assert (found["row"], found["held"], found["size"]) == (0, 100, 1000)
    assert found["told"] == pytest.approx(rise_told(0.1, 900, 100))
    assert found["n"] == list_needed(0.1, 0.02)
    assert found["n_out"] == pytest.approx(found["n"] / 10, abs=1)


@pytest.mark.parametrize("rows", [[(1000, 200, 1000, 100)], [(100, 10, 0, 0)]])
def test_nothing_is_said_where_all_is_told_or_nobody_is_held_out(rows):
    assert trial_sizes(lists(*rows)) is None
    assert trial_finding(lists(*rows)).texts == ()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("rows", [[(900, 90, 100, 10)], [(9, 0, 1, 0)], [(900, 900, 100, 100)], [(1, 0, 1, 1)]])
def test_the_sentence_has_all_its_numbers(rows, language):
    said = trial_finding(lists(*rows), CampaignRules(), language, {"0": "Win back"}).text
    assert "Win back" in said
    assert "nan" not in said
    assert "–" not in said


def test_too_few_held_out_are_called_so():
    assert trial_finding(lists((171, 10, 19, 1))).text.startswith("Too few are held out")
    assert trial_finding(lists((180, 10, 20, 1))).text.startswith("How much can be told")


@pytest.mark.parametrize("by", ["campaign", "list", "channel"])
def test_without_a_campaign_one_line_says_so(by):
    said = campaign_finding(lists((9, 1, 9, 1)).head(0), by)
    assert isinstance(said, Missing) == (by != "channel")


def test_the_results_carry_what_they_could_tell():
    found = lists((900, 90, 100, 10), (171, 10, 19, 1))
    assert found["uplift_told"].tolist() == [
        pytest.approx(rise_told(0.1, 900, 100)),
        pytest.approx(np.nan, nan_ok=True),
    ]

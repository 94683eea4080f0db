import itertools

import numpy as np
import pandas as pd
import pytest

from custvalue.errors import UsageError
from custvalue.labels import labels
from custvalue.segmentation import (
    RFM_GROUPS,
    SEGMENT_PREDICATES,
    SEGMENTS,
    SegmentationRules,
    behaviour_segments,
    cluster_customers,
    rfm_grid,
    rfm_groups,
    rfm_map,
    rfm_scores,
    score_cuts,
)
from custvalue.strategy import rule_table


def expected_segment(silent, repeats, gap, categories, value, line):
    """The same rules once more, read from the course, for one customer."""
    if silent > 365:
        return "dormant"
    if repeats == 0:
        return "first_time"
    if gap <= 45:
        return "monthly"
    if gap <= 135:
        return "quarterly"
    if categories == 1:
        return "one_category"
    return "lower_line" if value < line else "occasional"


@pytest.fixture(scope="module")
def grid():
    cells = itertools.product(
        [0, 365, 366], [0, 1, 5], [1.0, 45.0, 45.5, 135.0, 136.0], [1, 2, pd.NA], [5.0, 10.0, 20.0]
    )
    columns = ["days_since_last", "n_repeats", "mean_gap_days", "n_categories", "mean_order_value"]
    table = pd.DataFrame(list(cells), columns=columns).astype({"n_categories": "Int64"})
    table["mean_gap_days"] = table["mean_gap_days"].where(table["n_repeats"] > 0)
    return table.assign(customer_id=[f"c{i:04d}" for i in range(len(table))])


@pytest.fixture(scope="module")
def shoppers():
    rng = np.random.default_rng(3)
    n = 400
    return pd.DataFrame(
        {
            "customer_id": [f"{i:04d}" for i in range(n)],
            "days_since_last": rng.integers(0, 700, n),
            "n_orders": rng.geometric(0.4, n),
            "sales": rng.normal(50, 40, n).round(2),
        }
    )


def test_every_cell_of_the_grid_has_exactly_one_segment(grid):
    line = grid["mean_order_value"].quantile(0.5)
    fields = ["days_since_last", "n_repeats", "mean_gap_days", "n_categories", "mean_order_value"]
    cells = grid[fields].astype(object).where(grid[fields].notna(), None)
    expected = [expected_segment(*cell, line) for cell in cells.itertuples(index=False)]
    result = behaviour_segments(grid)
    assert result["segment"].tolist() == expected
    assert set(expected) == set(SEGMENTS)


def test_the_last_predicate_always_holds(grid):
    assert SEGMENT_PREDICATES[-1][1](grid, SegmentationRules()).all()


def test_unknown_categories_make_nobody_a_one_category_buyer(grid):
    unknown = grid.assign(n_categories=pd.array([pd.NA] * len(grid), dtype="Int64"))
    assert "one_category" not in set(behaviour_segments(unknown)["segment"])


def test_equal_order_values_are_not_a_lower_line(grid):
    segments = behaviour_segments(grid.assign(mean_order_value=9.0))["segment"]
    assert "lower_line" not in set(segments)


def test_codes_stand_in_the_order_of_the_labels(grid):
    assert list(labels("segment")) == list(SEGMENTS)
    segment = behaviour_segments(grid)["segment"]
    assert list(segment.cat.categories) == list(SEGMENTS)
    assert segment.cat.ordered


def test_no_customers_have_no_segments(grid, shoppers):
    assert behaviour_segments(grid.head(0)).empty
    assert rfm_scores(shoppers.head(0)).empty
    assert cluster_customers(shoppers.head(0)).empty


@pytest.mark.parametrize(
    "wrong",
    [
        {"score_levels": 1},
        {"score_levels": 10},
        {"lower_line_quantile": 2},
        {"clusters": -1},
        {"clusters": 21},
        {"cluster_stability": 1.1},
        {"smallest_cluster": 0.5},
        {"best_share": 0.0},
        {"best_share": 0.6},
        {"seed": -1},
        {"quarterly_days": 9},
    ],
)
def test_rules_out_of_range_are_refused(wrong):
    with pytest.raises(UsageError) as caught:
        SegmentationRules(**wrong)
    assert caught.value.code == "rule_out_of_range"
    assert caught.value.values["rule"] == next(iter(wrong))


def test_distinct_values_fill_the_scores_evenly():
    table = pd.DataFrame({"customer_id": [f"{i:03d}" for i in range(100)], "days_since_last": range(100)})
    scores = rfm_scores(table.assign(n_orders=range(100), sales=range(100)))
    assert scores["r_score"].value_counts().sort_index().to_dict() == dict.fromkeys(range(1, 6), 20)
    assert scores.loc[0, "rfm"] == "511"
    assert scores.loc[99, "rfm"] == "155"


def test_a_score_is_its_formula(shoppers):
    scores = rfm_scores(shoppers, SegmentationRules(score_levels=7))
    for i in (0, 17, 250):
        worse = (shoppers["sales"] < shoppers["sales"][i]).sum()
        assert scores["m_score"][i] == 1 + (7 * worse) // len(shoppers)


def test_equal_values_have_equal_scores(shoppers):
    scores = rfm_scores(shoppers)
    assert (scores.groupby(shoppers["n_orders"])["f_score"].nunique() == 1).all()
    same = rfm_scores(shoppers.assign(days_since_last=3, n_orders=1, sales=9.0))
    assert set(same["rfm"]) == {"111"}


def expected_group(r, f, m, levels):
    """The groups once more, in words for one customer: scores on the scale from 1 to 5, read as low, middle, high."""
    r, f, m = (1 + 4 * (score - 1) / (levels - 1) for score in (r, f, m))
    if f >= 3.5 and r >= 2.5:
        return "champions" if r >= 3.5 and m >= 3.5 else "loyal"
    if f >= 2.5 and r >= 2.5:
        return "potential_loyalists" if r >= 3.5 else "needs_attention"
    if r >= 2.5:
        few = "new" if r >= 3.5 else "about_to_sleep"
        return "promising" if m >= 3.5 else few
    if f >= 3.5 and m >= 3.5:
        return "cannot_lose"
    if f >= 2.5 or m >= 2.5:
        return "at_risk"
    return "hibernating" if r >= 1.5 else "lost"


@pytest.mark.parametrize("levels", range(2, 10))
def test_every_combination_of_scores_has_exactly_one_group(levels):
    rules = SegmentationRules(score_levels=levels)
    grid = rfm_grid(rules)
    cells = list(itertools.product(range(1, levels + 1), repeat=3))
    assert list(grid[["r_score", "f_score", "m_score"]].itertuples(index=False, name=None)) == cells
    assert grid["rfm_group"].tolist() == [expected_group(*cell, levels) for cell in cells]
    shuffled = grid.assign(customer_id="x").sample(frac=1, random_state=2)
    assert rfm_groups(shuffled, rules)["rfm_group"].tolist() == shuffled["rfm_group"].tolist()


@pytest.mark.parametrize("levels", [5, 6, 7, 8, 9])
def test_no_named_group_is_out_of_reach(levels):
    assert set(rfm_grid(SegmentationRules(score_levels=levels))["rfm_group"]) == set(RFM_GROUPS)


def test_limits_of_the_scores_follow_the_levels():
    limits = {k: (SegmentationRules(score_levels=k).middle_score, SegmentationRules(score_levels=k).high_score)
              for k in range(2, 10)}  # fmt: skip
    assert limits == {2: (2, 2), 3: (2, 3), 4: (3, 3), 5: (3, 4), 6: (3, 5), 7: (4, 5), 8: (4, 6), 9: (4, 6)}


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("kind", ["segment", "rfm_group"])
def test_rules_in_words_name_the_limits_in_force(kind, language):
    rules = SegmentationRules(dormant_days=200, monthly_days=33, score_levels=9, lower_line_quantile=0.4)
    said = rule_table(kind, rules, language).set_index(kind)["rule"]
    if kind == "segment":
        assert "200" in said["dormant"]
        assert "33" in said["monthly"]
        assert "40%" in said["lower_line"]
    else:
        assert "6" in said["champions"]
        assert "4" in said["at_risk"]


def test_the_map_counts_everybody_once_and_shows_empty_places(shoppers):
    scores = rfm_scores(shoppers)
    places = rfm_map(scores)
    assert places["n_customers"].sum() == len(shoppers)
    counts = places.groupby("rfm_group", observed=False)["n_customers"].sum()
    assert counts.to_dict() == rfm_groups(scores)["rfm_group"].value_counts().to_dict()
    assert (places["n_customers"] == 0).any()
    assert not places.duplicated(["r_score", "f_score", "rfm_group"]).any()


def test_all_equal_customers_are_in_one_group():
    same = pd.DataFrame({"customer_id": list("abc"), "days_since_last": 3, "n_orders": 1, "sales": 9.0})
    assert set(rfm_groups(rfm_scores(same))["rfm_group"]) == {"lost"}


def test_one_customer_scores_one():
    one = pd.DataFrame({"customer_id": ["a"], "days_since_last": [0], "n_orders": [9], "sales": [5.0]})
    assert rfm_scores(one)["rfm"].tolist() == ["111"]


def test_cuts_tell_the_scores_apart_and_count_everybody(shoppers):
    cuts = score_cuts(shoppers)
    assert cuts.groupby("measure")["n_customers"].sum().eq(len(shoppers)).all()
    for measure in ("n_orders", "sales"):
        rows = cuts[cuts["measure"] == measure]
        assert (rows["highest"].to_numpy()[:-1] < rows["lowest"].to_numpy()[1:]).all()
    silent = cuts[cuts["measure"] == "days_since_last"]
    assert (silent["lowest"].to_numpy()[:-1] > silent["highest"].to_numpy()[1:]).all()


def test_the_input_is_left_as_it_was(grid, shoppers):
    before = grid.copy(), shoppers.copy()
    behaviour_segments(grid)
    rfm_scores(shoppers)
    cluster_customers(shoppers)
    pd.testing.assert_frame_equal(grid, before[0])
    pd.testing.assert_frame_equal(shoppers, before[1])

import itertools

import numpy as np
import pandas as pd
import pytest

from custvalue.errors import UsageError
from custvalue.labels import labels
from custvalue.segmentation import (
    SEGMENT_PREDICATES,
    SEGMENTS,
    SegmentationRules,
    behaviour_segments,
    cluster_centres,
    cluster_customers,
    rfm_scores,
    score_cuts,
)


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
        {"clusters": 0},
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


def test_three_clouds_are_found_and_numbered_by_sales():
    rng = np.random.default_rng(0)
    clouds = [(300, 1, 10), (100, 5, 100), (5, 40, 2000)]
    table = pd.concat(
        [
            pd.DataFrame(
                {
                    "days_since_last": rng.poisson(days, 60),
                    "n_orders": 1 + rng.poisson(orders, 60),
                    "sales": sales * rng.uniform(0.9, 1.1, 60),
                    "cloud": number,
                }
            )
            for number, (days, orders, sales) in zip("321", clouds, strict=True)
        ],
        ignore_index=True,
    )
    table["customer_id"] = [f"{i:03d}" for i in rng.permutation(len(table))]
    result = cluster_customers(table, SegmentationRules(clusters=3))
    assert (result["cluster"].astype(str) == table["cloud"]).all()


def test_clusters_depend_on_neither_the_run_nor_the_order_of_the_rows(shoppers):
    first = cluster_customers(shoppers).set_index("customer_id")["cluster"]
    again = cluster_customers(shoppers).set_index("customer_id")["cluster"]
    shuffled = cluster_customers(shoppers.sample(frac=1, random_state=4)).set_index("customer_id")["cluster"]
    assert first.equals(again)
    assert first.equals(shuffled.reindex(first.index))


def test_fewer_distinct_customers_than_clusters_give_fewer_clusters(shoppers):
    two = shoppers.head(6).assign(days_since_last=1, n_orders=1, sales=[1.0, 9.0, 1.0, 9.0, 1.0, 9.0])
    assert cluster_customers(two)["cluster"].tolist() == ["2", "1"] * 3
    alike = cluster_customers(two.assign(sales=1.0))["cluster"]
    assert list(alike.cat.categories) == ["1"]


def test_only_a_sample_is_fitted_and_everybody_is_assigned(shoppers, monkeypatch):
    monkeypatch.setattr("custvalue.segmentation.CLUSTER_SAMPLE", 50)
    clusters = cluster_customers(shoppers)
    assert len(clusters) == len(shoppers)
    assert clusters["cluster"].notna().all()


def test_centres_are_medians_and_sales_fall_from_cluster_to_cluster(shoppers):
    clusters = cluster_customers(shoppers)
    centres = cluster_centres(shoppers, clusters).set_index("cluster")
    members = shoppers[clusters["cluster"] == "2"]
    assert centres.loc["2", "n_customers"] == len(members)
    assert centres.loc["2", "sales"] == members["sales"].median()
    means = shoppers["sales"].groupby(clusters["cluster"], observed=True).mean()
    assert means.is_monotonic_decreasing


def test_the_input_is_left_as_it_was(grid, shoppers):
    before = grid.copy(), shoppers.copy()
    behaviour_segments(grid)
    rfm_scores(shoppers)
    cluster_customers(shoppers)
    pd.testing.assert_frame_equal(grid, before[0])
    pd.testing.assert_frame_equal(shoppers, before[1])

import itertools

import numpy as np
import pandas as pd
import pytest

from custvalue.churn import (
    STAGE_PREDICATES,
    STAGES,
    ChurnRules,
    basket_misses,
    falling_spend,
    leaving,
    next_order,
    stages,
)
from custvalue.errors import UsageError
from custvalue.labels import labels

GAP = 30.0


def expected_stage(repeats, overdue, p_alive, trend):
    """The same rules once more, for one customer."""
    level = 2 if overdue >= 4 else 1 if overdue >= 2 else 0
    doubt = 2 if p_alive < 0.2 else 1 if p_alive < 0.6 else 0
    if repeats == 0 and p_alive == 1:
        return ("identify", "decline", "drop")[level]
    if level + doubt >= 3:
        return "drop"
    if level + doubt >= 1 or (repeats > 2 and trend is not None and trend <= -0.5):
        return "decline"
    if repeats <= 2:
        return "cultivate" if repeats else "identify"
    return "grow" if trend is not None and trend >= 0.2 else "stable"


@pytest.fixture(scope="module")
def grid():
    """Customers whose rhythm is the group's gap, so that overdue and trend are what the cell says."""
    cells = itertools.product(
        [0, 1, 2, 3, 9],
        [0.0, 1.9, 2.0, 3.9, 4.0, 9.0],
        [0.0, 0.19, 0.2, 0.59, 0.6, 1.0],
        [-1.0, -0.5, 0.0, 0.2, None],
    )
    table = pd.DataFrame(list(cells), columns=["n_repeats", "overdue", "p_alive", "cell_trend"])
    trend = table["cell_trend"].astype(float)
    return table.assign(
        customer_id=[f"{i:04d}" for i in range(len(table))],
        mean_gap_days=np.where(table["n_repeats"] > 0, GAP, np.nan),
        days_since_last=table["overdue"] * GAP,
        tenure_days=np.where(trend.isna(), 729, 730),
        sales_12m=10 * (1 + trend.fillna(0)),
        sales_prior_12m=10 * (1 - trend.fillna(0)),
        clv_12m=100.0,
    )


def person(**columns):
    """One steady customer, some columns replaced."""
    steady = {
        "customer_id": "a",
        "n_repeats": 9,
        "mean_gap_days": GAP,
        "days_since_last": 10,
        "tenure_days": 900,
        "sales_12m": 50.0,
        "sales_prior_12m": 50.0,
        "p_alive": 0.9,
    }
    return pd.DataFrame([steady | columns])


def test_every_cell_of_the_grid_has_exactly_one_stage(grid):
    result = stages(grid)
    cells = zip(grid["n_repeats"], grid["overdue"], grid["p_alive"], grid["cell_trend"], strict=True)
    expected = [expected_stage(*cell[:3], None if pd.isna(cell[3]) else cell[3]) for cell in cells]
    assert result["stage"].tolist() == expected
    assert set(expected) == set(STAGES)
    assert result["overdue"].to_numpy() == pytest.approx(grid["overdue"].to_numpy())


def test_the_last_predicate_always_holds(grid):
    assert STAGE_PREDICATES[-1][1](grid, ChurnRules()).all()


def test_codes_stand_in_the_order_of_the_labels(grid):
    assert list(labels("stage")) == list(STAGES)
    stage = stages(grid)["stage"]
    assert list(stage.cat.categories) == list(STAGES)
    assert stage.cat.ordered


def test_rhythm_borrows_one_gap_from_the_group():
    buyers = [(0, np.nan), (1, 10.0), (4, 50.0)]
    people = [person(customer_id=str(n), n_repeats=n, mean_gap_days=gap) for n, gap in buyers]
    group = pd.concat(people, ignore_index=True)
    assert stages(group)["rhythm_days"].tolist() == pytest.approx([30, (10 + 30) / 2, (200 + 30) / 5])


def test_where_nobody_repeats_the_rhythm_is_the_median_tenure_but_a_quarter_at_least():
    once = {"n_repeats": 0, "mean_gap_days": np.nan}
    group = pd.concat([person(tenure_days=t, **once) for t in (0, 140, 900)], ignore_index=True)
    assert stages(group)["rhythm_days"].tolist() == [140, 140, 140]
    young = pd.concat([person(tenure_days=t, **once) for t in (0, 5, 10)], ignore_index=True)
    assert stages(young)["rhythm_days"].tolist() == [90, 90, 90]
    first_day = person(tenure_days=0, days_since_last=0, **once)
    assert stages(first_day).loc[0, ["rhythm_days", "overdue", "stage"]].tolist() == [90, 0, "identify"]


@pytest.mark.parametrize(
    ("p_alive", "expected"),
    [
        (1.0, ["identify", "decline", "drop"]),
        (np.nan, ["identify", "decline", "drop"]),
        (0.9, ["identify", "decline", "decline"]),
        (0.05, ["decline", "drop", "drop"]),
    ],
)
def test_certainty_about_a_one_time_buyer_is_no_evidence_but_any_other_figure_is(p_alive, expected):
    once = {"n_repeats": 0, "mean_gap_days": np.nan, "p_alive": p_alive}
    silent = [person(days_since_last=days, **once) for days in (5, 70, 500)]
    group = pd.concat([*silent, person()], ignore_index=True)
    assert stages(group)["stage"].tolist()[:3] == expected


def test_strong_signs_that_contradict_each_other_are_a_decline():
    assert stages(person(days_since_last=300, p_alive=0.95))["stage"].tolist() == ["decline"]
    assert stages(person(days_since_last=5, p_alive=0.05))["stage"].tolist() == ["decline"]
    assert stages(person(days_since_last=300, p_alive=0.05))["stage"].tolist() == ["drop"]


def test_trend_is_bounded_and_unknown_for_the_young_and_the_silent():
    def trend(**columns):
        return stages(person(**columns))["trend"].iloc[0]

    assert trend(sales_12m=75.0, sales_prior_12m=25.0) == 0.5
    assert trend(sales_12m=-5.0, sales_prior_12m=25.0) == -1
    assert np.isnan(trend(tenure_days=729))
    assert np.isnan(trend(sales_12m=0.0, sales_prior_12m=0.0))


def test_value_at_risk_is_the_value_times_the_chance_to_be_gone(grid):
    assert stages(grid)["value_at_risk"].to_numpy() == pytest.approx(100 * (1 - grid["p_alive"].to_numpy()))
    assert stages(person())["value_at_risk"].isna().all()


def test_a_missing_probability_leaves_the_rhythm_to_decide():
    found = [stages(person(p_alive=np.nan, days_since_last=d))["stage"].iloc[0] for d in (5, 70, 300)]
    assert found == ["stable", "decline", "drop"]


def test_p_alive_has_to_be_joined_first():
    with pytest.raises(UsageError) as caught:
        stages(person().drop(columns="p_alive"))
    assert (caught.value.code, caught.value.values["column"]) == ("column_missing", "p_alive")


@pytest.mark.parametrize(
    "wrong",
    [{"overdue_drop": 1.0}, {"alive_drop": 0.7}, {"alive_decline": 1.2}, {"fall": 0.0}, {"growth": 2.0}],
)
def test_rules_out_of_order_are_refused(wrong):
    with pytest.raises(UsageError) as caught:
        ChurnRules(**wrong)
    assert caught.value.values["rule"] == next(iter(wrong))


def test_no_customers_and_unchanged_input(grid):
    before = grid.copy()
    assert stages(grid.head(0)).empty
    stages(grid)
    pd.testing.assert_frame_equal(grid, before)


def test_next_order_over_a_leap_day():
    customers = pd.DataFrame(
        {
            "customer_id": ["a", "b"],
            "last_order": pd.to_datetime(["2024-02-20", "2024-02-20"]),
            "days_since_last": [30, 31],
        }
    )
    result = next_order(customers, pd.DataFrame({"customer_id": ["b", "a"], "rhythm_days": [20.0, 20.0]}))
    assert result["next_from"].dt.strftime("%m-%d").tolist() == ["03-01", "03-01"]
    assert result["next_to"].dt.strftime("%m-%d").tolist() == ["03-21", "03-21"]
    assert result["overdue_days"].tolist() == [0, 1]


def board():
    return pd.DataFrame(
        {
            "customer_id": list("dcba"),
            "stage": pd.Categorical(["decline", "decline", "drop", "decline"], STAGES, ordered=True),
            "sales": 10.0,
            "days_since_last": 90,
            "rhythm_days": 30.0,
            "overdue": 3.0,
            "p_alive": 0.5,
            "value_at_risk": [5.0, 5.0, 99.0, np.nan],
        }
    )


def test_leaving_lists_decliners_by_value_at_risk():
    assert leaving(board())["customer_id"].tolist() == ["c", "d", "a"]
    assert leaving(board(), n=1)["customer_id"].tolist() == ["c"]
    assert leaving(board().assign(stage="stable")).empty


def test_falling_spend_lists_those_who_still_buy_by_money_lost():
    table = pd.DataFrame(
        {
            "customer_id": list("abcde"),
            "n_orders_12m": [1, 2, 0, 3, 1],
            "sales_12m": [50.0, 51.0, 0.0, 100.0, 10.0],
            "sales_prior_12m": [100.0, 100.0, 500.0, 400.0, 0.0],
        }
    )
    result = falling_spend(table)
    assert result["customer_id"].tolist() == ["d", "a"]
    assert result["lost_sales"].tolist() == [300, 50]
    assert result["fall_share"].tolist() == [0.75, 0.5]


def test_a_basket_is_measured_against_the_same_customers():
    table = pd.DataFrame(
        {
            "segment": pd.Categorical(["x", "x", "y"], ["x", "y", "z"], ordered=True),
            "n_repeats": [9, 3, 4],
            "purchases_12m": [90.0, 20.0, 30.0],
            "n_orders_12m": [9, 1, 2],
            "mean_order_value": [10.0, 20.0, 20.0],
        }
    )
    result = basket_misses(table).set_index("segment")
    assert result["miss_share"].iloc[:2].tolist() == pytest.approx([0, 0.25])
    assert result.loc["x", ["basket_12m", "basket_target"]].tolist() == [11, 11]
    assert "z" not in result.index
    assert basket_misses(table.assign(n_repeats=[9, 3, 0]))["segment"].tolist() == ["x"]
    assert basket_misses(table, target_factor=1.1)["miss_share"].iloc[0] == pytest.approx(1 - 1 / 1.1)

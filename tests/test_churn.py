import itertools

import numpy as np
import pandas as pd
import pytest
from lifetime_customers import AS_OF, customers_of, simulated, table_as_of

from custvalue.churn import STAGE_PREDICATES, STAGES, ChurnRules, next_order, stage_forms, stages
from custvalue.errors import UsageError
from custvalue.labels import labels
from custvalue.lifetime import Fitted, LifetimeRules, fit, forecast, grouped_rows
from custvalue.lifetime.blend import Weights, blended
from custvalue.lifetime.staying import orders_if_stays

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
    buyers = [(0, np.nan), (1, 10.0), (4, 50.0)]  # each repeat buyer lends one mean gap: 30
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


def test_value_at_risk_and_expected_value_make_up_the_value_if_he_stays(grid):
    at_risk = stages(grid.assign(value_if_stays_12m=100.0, clv_12m=30.0))["value_at_risk"]
    assert at_risk.tolist() == [70.0] * len(grid)
    assert stages(person(value_if_stays_12m=-5.0, clv_12m=-1.0))["value_at_risk"].tolist() == [0]
    assert stages(person(clv_12m=30.0))["value_at_risk"].isna().all()
    assert stages(person())["value_at_risk"].isna().all()


LIKELY = {"r": 0.5, "alpha": 10.0, "s": 0.6, "beta": 12.0}
YEAR = 365 / 7


def share_at_risk(model, x, t_x, T):
    """The share lost of what the next 52 weeks would bring if the customer stayed."""
    stays = orders_if_stays(model, [x], [t_x], [T], YEAR)[0]
    return stays, 1 - model.expected_orders([x], [t_x], [T], YEAR)[0] / stays


def test_nothing_is_at_risk_where_nobody_leaves_and_all_of_it_where_he_has_left():
    loyal = {**LIKELY, "s": 1e-9, "beta": 1.0}
    for parameters, silent, share in ((loyal, 1, 0.0), (LIKELY, 400, 1.0)):
        stays, lost = share_at_risk(Fitted("pareto_nbd", parameters), 10, 100, 100 + silent)
        assert stays == pytest.approx(10.5 / (110 + silent) * YEAR, rel=1e-3)
        assert lost == pytest.approx(share, abs=1e-3)


def test_risk_counts_leaving_within_the_year_as_well():
    # P(still active after u weeks) of a customer active at T is ((beta + T) / (beta + T + u))^s: its mean over the year
    base = LIKELY["beta"] + 100
    active = base**0.6 * ((base + YEAR) ** 0.4 - base**0.4) / 0.4 / YEAR
    assert share_at_risk(Fitted("pareto_nbd", LIKELY), 10, 100, 100)[1] == pytest.approx(1 - active, abs=1e-3)


@pytest.mark.parametrize("x", [0, 1, 30])
@pytest.mark.parametrize("model", ["bg_nbd", "mbg_nbd", "pareto_nbd", "mbg_cnbd_k", "blend"])
def test_nobody_is_expected_to_order_more_than_if_he_stays(model, x):
    drop_out = {"r": 0.8, "alpha": 6.0, "a": 0.7, "b": 3.0, "k": 3}
    fitted = Fitted(model, LIKELY if model == "pareto_nbd" else drop_out)
    if model == "blend":
        fitted = blended(Fitted("pareto_nbd", LIKELY), Fitted("nbd", LIKELY), Weights(orders=0.4))
    for silent in (0, 5, 50, 300):
        t_x = 0.0 if x == 0 else 90.0
        assert -1e-3 <= share_at_risk(fitted, x, t_x, t_x + silent)[1] <= 1


def test_the_forecast_carries_the_value_if_he_stays():
    table = table_as_of(*simulated(400, 3))
    result = forecast(table, AS_OF, LifetimeRules(model="pareto_nbd", discount_rate=0.0)).table
    model = fit(grouped_rows(table), "pareto_nbd")
    x, T = table["n_repeats"].to_numpy(), table["tenure_days"].to_numpy() / 7
    q = model.parameters
    orders = (q["r"] + x) / (q["alpha"] + T) * YEAR
    assert result["value_if_stays_12m"].to_numpy() == pytest.approx(orders * result["expected_spend"], rel=2e-3)
    assert (result["value_if_stays_12m"] >= result["clv_12m"] * 0.999).all()
    few = forecast(customers_of([0, 1], [0, 50], [100, 100]), AS_OF).table
    assert few["value_if_stays_12m"].isna().all()


def test_a_model_that_sees_nobody_leave_drops_nobody():
    silent = pd.concat([person(customer_id=str(i), p_alive=0.999) for i in range(20)])
    silent["days_since_last"] = [5] * 18 + [70, 300]
    assert stages(silent)["stage"].tolist()[-3:] == ["stable", "decline", "decline"]


def test_nobody_is_dropped_who_is_likely_to_buy_again():
    gone = {"days_since_last": 300, "p_alive": 0.1}
    assert stages(person(**gone, p_order_12m=0.14))["stage"].tolist() == ["drop"]
    assert stages(person(**gone, p_order_12m=0.15))["stage"].tolist() == ["decline"]
    once = person(n_repeats=0, mean_gap_days=np.nan, days_since_last=400, p_alive=1.0, p_order_12m=0.9)
    steady = person(customer_id="b", p_order_12m=0.9)
    assert stages(pd.concat([once, steady], ignore_index=True))["stage"].tolist() == ["drop", "stable"]


def test_a_change_of_sales_counts_only_beyond_noise():
    def stage(now, before, each):
        known = {"sales_12m": now, "sales_prior_12m": before, "squares_24m": (now + before) * each}
        return stages(person(**known))["stage"].iloc[0]

    assert [stage(10.0, 40.0, each) for each in (1.0, 30.0)] == ["decline", "stable"]
    assert [stage(40.0, 20.0, each) for each in (1.0, 30.0)] == ["grow", "stable"]


def test_a_group_of_twenty_lends_its_own_spacing():
    def people(group, n, gap, repeats=1):
        return pd.concat([person(group=group, n_repeats=repeats, mean_gap_days=gap)] * n)

    once = [people(group, 1, np.nan, 0) for group in ("many", "few", None)]
    table = pd.concat([people("many", 20, 10.0), people("few", 19, 50.0), *once], ignore_index=True)
    table["customer_id"] = [str(i) for i in range(len(table))]
    everybody = (20 * 10 + 19 * 50) / 39
    assert stages(table, ChurnRules(rhythm_group="group"))["rhythm_days"].tail(3).tolist() == pytest.approx(
        [10, everybody, everybody]
    )
    assert stages(table)["rhythm_days"].tail(3).tolist() == pytest.approx([everybody] * 3)
    with pytest.raises(UsageError, match="region"):
        stages(table, ChurnRules(rhythm_group="region"))


def test_short_forms_cover_every_stage_and_stand_beside_it(grid):
    forms = stage_forms()
    assert forms["stage"].tolist() == list(STAGES)
    assert list(forms["stage_short"].cat.categories) == list(labels("stage_short"))
    assert list(forms["bond"].cat.categories) == list(labels("bond"))
    assert forms["bond"].isna().tolist() == [False] * 4 + [True] * 2
    given = stages(grid)
    assert given.groupby("stage_short", observed=True)["stage"].nunique().tolist() == [1, 3, 2]


def test_a_missing_probability_leaves_the_rhythm_to_decide():
    found = [stages(person(p_alive=np.nan, days_since_last=d))["stage"].iloc[0] for d in (5, 70, 300)]
    assert found == ["stable", "decline", "drop"]


def test_p_alive_has_to_be_joined_first():
    with pytest.raises(UsageError) as caught:
        stages(person().drop(columns="p_alive"))
    assert (caught.value.code, caught.value.values["column"]) == ("column_missing", "p_alive")


@pytest.mark.parametrize(
    "wrong",
    [
        {"overdue_drop": 1.0},
        {"alive_drop": 0.7},
        {"alive_decline": 1.2},
        {"order_drop": 0.0},
        {"fall": 0.0},
        {"growth": 2.0},
        {"trend_noise": 0.0},
    ],
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


MODEL = Fitted("pareto_nbd", {"r": 0.55, "alpha": 10.6, "s": 0.6, "beta": 11.7})


def due(repeats=5, last=100, silent=0, rhythm=20.0, fitted=None, **rules):
    """The dates of one customer, in days after his last purchase, and what to do."""
    table = customers_of([repeats], [last], [last + silent]).assign(days_since_last=silent)
    given = pd.DataFrame({"customer_id": ["0"], "rhythm_days": [rhythm]})
    result = next_order(table, given, fitted, ChurnRules(**rules)).iloc[0]
    since = {c: (result[c] - table["last_order"].iloc[0]).days for c in ("next_from", "next_to", "act_from", "act_by")}
    return since | {"act": result["act"]}


def test_the_best_time_begins_when_four_of_five_would_be_back():
    found = due()
    assert found["act_from"] == round(20 * np.log(5)) == 32
    assert 1 - np.exp(-found["act_from"] / 20) == pytest.approx(0.8, abs=0.005)
    assert (found["act_by"], due(overdue_decline=3.0)["act_by"]) == (40, 60)


@pytest.mark.parametrize(("silent", "act"), [(0, "wait"), (31, "wait"), (32, "now"), (40, "now"), (41, "late")])
def test_what_the_calendar_says(silent, act):
    assert due(silent=silent)["act"] == act


@pytest.mark.parametrize(("repeats", "last"), [(0, 0), (1, 20), (5, 100), (40, 300)])
def test_the_best_time_ends_on_the_first_day_the_model_doubts(repeats, last):
    by = due(repeats, last, rhythm=1000.0, fitted=MODEL)["act_by"]
    on, before = (MODEL.p_alive(repeats, last / 7, (last + day) / 7)[0] for day in (by, by - 1))
    assert on < 0.6 <= before
    assert due(repeats, last, rhythm=1000.0, fitted=MODEL)["act_from"] == by


def test_where_the_model_never_doubts_the_rhythm_decides():
    nobody_leaves = Fitted("nbd", {"r": 0.5, "alpha": 10.0})
    assert due(fitted=nobody_leaves) == due()

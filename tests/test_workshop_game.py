"""The business game: simulated gains against closed forms, rules kept, the same luck for all."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from custvalue.errors import DataError, UsageError
from custvalue.simulate import Game, GameRules, choose, simulate

WEEKS = 365 / 7


@pytest.fixture(scope="module")
def truth():
    return simulate(400, seed=3).truth


def everybody(truth, action):
    return pd.DataFrame({"customer_id": truth["customer_id"], "action": action})


RICH = GameRules(budget=1e9)


def one(alive=1, rate=0.2, churn=0.01, value=100.0):
    row = {"customer_id": ["a"], "alive": [alive], "rate_per_week": [rate], "churn_per_week": [churn]}
    return pd.DataFrame(row | {"mean_order_value": [value]})


def test_the_expected_gain_of_care_is_the_closed_form():
    weeks = (1 - np.exp(-0.004 * WEEKS)) / 0.004 - (1 - np.exp(-0.01 * WEEKS)) / 0.01
    gain = Game(one(), 0.5).expected.loc[0, "care"]
    assert gain == pytest.approx(0.2 * 100 * 0.5 * weeks)


def test_a_letter_adds_its_share_to_the_expected_orders_of_the_truth(truth):
    expected = Game(truth, 0.35).expected["letter"]
    sales = truth["expected_orders_12m"] * truth["mean_order_value"]
    assert np.allclose(expected, sales * 0.35 * 0.01)


@pytest.mark.parametrize("action", ["letter", "care", "win_back"])
def test_the_played_years_have_the_expected_mean(truth, action):
    game = Game(truth, 0.35, RICH, years=600)
    result = game.play({"all": everybody(truth, action)})
    error = result.years["all"].std() / np.sqrt(len(result.years))
    assert abs(result.years["all"].mean() - result.teams.loc[0, "expected_value"]) < 4 * error


@pytest.mark.parametrize(("alive", "action"), [(0, "letter"), (0, "care"), (1, "win_back")])
def test_an_action_of_the_wrong_kind_only_costs(alive, action):
    game = Game(one(alive=alive), years=20)
    result = game.play({"team": everybody(one(), action)})
    assert (result.years["team"] == -game.rules.cost(action)).all()
    assert result.teams.loc[0, "expected_value"] == -game.rules.cost(action)


def test_nobody_leaves_and_nothing_is_won_by_care():
    assert Game(one(churn=0.0)).expected.loc[0, "care"] == pytest.approx(0)
    assert Game(one(), rules=GameRules(care_leaving=1.0)).expected.loc[0, "care"] == pytest.approx(0)


def test_an_empty_plan_creates_exactly_nothing(truth):
    result = Game(truth, years=5).play({"idle": everybody(truth, "care").head(0)})
    assert (result.years["idle"] == 0).all()
    assert result.teams.loc[0, ["spent", "expected_value", "n_invested"]].tolist() == [0, 0, 0]


def test_two_teams_of_one_plan_meet_the_same_luck(truth):
    plan = choose(truth, "care", "rate_per_week")
    result = Game(truth, years=20).play({"red": plan, "blue": plan.sample(frac=1, random_state=1)})
    assert np.allclose(result.years["red"], result.years["blue"], atol=0.011)
    assert result.teams["share_first"].min() > 0.9


def test_the_same_seed_plays_the_same_years_and_another_does_not(truth):
    plans = {"red": choose(truth, "care", "rate_per_week")}
    first, again = (Game(truth, years=10, seed=5).play(plans).years for _ in range(2))
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(Game(truth, years=10, seed=6).play(plans).years)


def test_who_has_more_expected_value_wins_most_years(truth):
    game = Game(truth, years=200)
    gains = game.expected.merge(truth, on="customer_id")
    plans = {"knows": choose(gains, "win_back", "win_back"), "guesses": choose(gains, "win_back", seed=2)}
    plans = {team: plan.head(60) for team, plan in plans.items()}
    result = game.play(plans)
    assert result.teams["team"].iloc[0] == "knows"
    assert result.beats("knows", "guesses") > 0.9
    assert result.beats("knows", "guesses") + result.beats("guesses", "knows") <= 1


def test_choose_takes_the_highest_whom_the_budget_pays(truth):
    plan = choose(truth, "care", "rate_per_week", budget=239)
    best = truth.nlargest(3, "rate_per_week")["customer_id"]
    assert plan["customer_id"].tolist() == best.tolist()
    assert len(choose(truth, "letter")) == len(truth)
    assert choose(truth, "care").equals(choose(truth.sample(frac=1, random_state=1), "care"))


def test_a_missing_value_is_chosen_last():
    customers = pd.DataFrame({"customer_id": ["a", "b"], "value": [np.nan, -5.0]})
    assert choose(customers, "care", "value", budget=60)["customer_id"].tolist() == ["b"]


def test_a_margin_rate_of_each_customer_is_used():
    table = one().assign(rate=0.25)
    assert Game(table, "rate").expected.loc[0, "care"] == pytest.approx(Game(one(), 0.25).expected.loc[0, "care"])
    with pytest.raises(DataError, match="margin"):
        Game(one(), "margin")


def test_plans_that_can_not_be_played_are_refused(truth):
    game, plan = Game(truth, years=1), choose(truth, "letter", budget=40)
    with pytest.raises(UsageError, match="budget is 20,000"):
        game.play({"red": everybody(truth, "care")})
    with pytest.raises(UsageError, match="twice"):
        game.play({"red": pd.concat([plan, plan])})
    with pytest.raises(UsageError, match="not in the game"):
        game.play({"red": plan.head(1).assign(customer_id="X")})
    with pytest.raises(UsageError, match='Did you mean "care"'):
        game.play({"red": plan.assign(action="cares")})
    with pytest.raises(UsageError, match="usable column"):
        choose(truth, "care", "salez")
    with pytest.raises(UsageError, match="no team"):
        game.play({"red": plan}).beats("red", "blue")
    with pytest.raises(UsageError, match="years"):
        Game(truth, years=0)

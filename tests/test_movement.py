"""Moves, comings and goings, the bridge of value and the five things to know; by hand, at random and on the sample."""

from __future__ import annotations

import datetime as dt

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from plot_tables import check_words

from custvalue import plots
from custvalue.beside import read_attributes
from custvalue.churn import STAGES
from custvalue.config import load_settings
from custvalue.customers import customer_table
from custvalue.headlines import _FINDERS, _PAGES, Thing, five_things, things_to_know
from custvalue.history import earlier_month, remeasured
from custvalue.labels import LANGUAGES, catalogue, labels
from custvalue.movement import (
    BRIDGE_PARTS,
    FLOWS,
    bridge_total,
    customer_flows,
    move_table,
    move_words,
    movement_matrix,
    movers,
    moves,
    value_bridge,
)
from custvalue.pipeline import read
from custvalue.pyramid import TIERS
from custvalue.review import KINDS, actions_summary, first_step, month, totals
from custvalue.share import notebooks_folder
from custvalue.timelines import orders_by_month


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


SINCE = dt.date(2025, 11, 30)
MONEY = ["clv_12m", "sales_12m", "margin_12m"]


def card(rows):
    """A small scorecard: customer, tier, stage, day of the last order, clv, sales, margin; all joined in 2024."""
    table = pd.DataFrame(rows, columns=["customer_id", "tier", "stage", "last_order", *MONEY])
    table["last_order"] = pd.to_datetime(table["last_order"])
    table["tier"] = pd.Categorical(table["tier"], TIERS, ordered=True)
    table["stage"] = pd.Categorical(table["stage"], STAGES, ordered=True)
    first = pd.Timestamp("2024-01-01")
    return table.assign(first_order=table["last_order"].where(table["customer_id"].str.startswith("new"), first))


BEFORE = card(
    [
        ("back", "iron", "drop", "2025-01-01", 2.0, 0.0, 0.0),
        ("fading", "lead", "decline", "2025-06-01", 5.0, 40.0, 10.0),
        ("buyer", "iron", "stable", "2025-11-01", 50.0, 200.0, 60.0),
        ("quiet", "gold", "stable", "2025-11-01", 60.0, 300.0, 90.0),
        ("gone", "lead", "drop", "2024-05-01", 0.0, 0.0, 0.0),
        ("removed", "lead", "identify", "2025-11-20", 7.0, 9.0, 3.0),
        ("doubtful", "lead", "decline", "2025-08-01", 4.0, 8.0, 2.0),
    ]
)
ALIKE = card(
    [
        ("back", "gold", "cultivate", "2025-12-10", 30.0, 70.0, 20.0),
        ("fading", "lead", "drop", "2025-06-01", 3.0, 30.0, 8.0),
        ("buyer", "gold", "stable", "2025-12-24", 80.0, 260.0, 75.0),
        ("quiet", "iron", "stable", "2025-11-01", 45.0, 240.0, 70.0),
        ("gone", "lead", "drop", "2024-05-01", 0.0, 0.0, 0.0),
        ("new1", "lead", "identify", "2025-12-05", 11.0, 25.0, 5.0),
        ("late", "lead", "identify", "2025-10-05", 6.0, 15.0, 5.0),
        ("doubtful", "lead", "cultivate", "2025-12-05", 3.0, 9.0, 2.5),
    ]
)
NOW = ALIKE.assign(clv_12m=ALIKE["clv_12m"] * 1.1)


def bridge_of(before, alike, now):
    return value_bridge(before, alike, now, SINCE).set_index("bridge_part")


def test_the_bridge_by_hand():
    table = bridge_of(BEFORE, ALIKE, NOW)
    assert list(table.index) == list(BRIDGE_PARTS)
    assert table["n_customers"].drop("yardstick").tolist() == [7, 1, 2, 1, 1, 1, 2, 8]
    assert table["clv_12m"].tolist() == pytest.approx([128, 11, 27, 30, -15, -2, -1, 17.8, 195.8])
    assert table["sales_12m"].tolist() == pytest.approx([557, 25, 71, 60, -60, -10, 6, 0, 649])
    assert bridge_total(table.reset_index()) == (128.0, pytest.approx(195.8))


def test_the_customers_of_the_example_come_and_go():
    flows = customer_flows(BEFORE, ALIKE, SINCE).set_index("flow")
    assert list(flows.index) == list(FLOWS)
    assert flows["n_customers"].tolist() == [1, 2, 1]
    assert flows.loc["returned", ["clv_from", "clv_to", "sales_12m"]].tolist() == [6.0, 33.0, 79.0]
    assert flows.loc["lost", "clv_change"] == -2.0


def random_months(seed, n=400, margin=True):
    """Two months of customers of whom some come, go, return, disappear or never change."""
    rng = np.random.default_rng(seed)
    ids = [f"c{i:04}" for i in range(n)] + [f"new{i}" for i in range(20)]
    cards = []
    for day in ("2025-11-30", "2025-12-31"):
        last = pd.Timestamp(day) - pd.to_timedelta(rng.integers(0, 400, len(ids)), unit="D")
        money = [rng.lognormal(3, 2, len(ids)).round(rng.integers(0, 6)) * (rng.random(len(ids)) < 0.7) for _ in MONEY]
        rows = zip(ids, rng.choice(TIERS, len(ids)), rng.choice(STAGES, len(ids)), last, *money, strict=True)
        cards.append(card(list(rows)))
    before, alike = cards
    alike["last_order"] = alike["last_order"].where(
        ~alike["customer_id"].str.startswith("new"), pd.Timestamp("2025-12-03")
    )
    alike["first_order"] = alike["first_order"].where(~alike["customer_id"].str.startswith("new"), alike["last_order"])
    before = before[~before["customer_id"].str.startswith("new")].sample(frac=0.98, random_state=seed)
    alike = alike.sample(frac=0.97, random_state=seed)
    if not margin:
        before, alike = (table.assign(margin_12m=np.nan) for table in (before, alike))
    return before, alike, alike.assign(clv_12m=alike["clv_12m"] * rng.uniform(0.5, 2, len(alike)))


@pytest.mark.parametrize("seed", range(12))
def test_the_steps_of_a_bridge_add_up_exactly(seed):
    before, alike, now = random_months(seed)
    table = bridge_of(before, alike, now)
    whole = (table[MONEY] * 10_000).round().astype("int64")
    assert (whole.drop("now").sum() == whole.loc["now"]).all()
    assert table.loc["now", "clv_12m"] == pytest.approx(now["clv_12m"].sum(), abs=0.05)
    steps = table["n_customers"].drop(["before", "now", "yardstick"])
    both = before.merge(alike, on="customer_id", suffixes=("", "_to"), how="outer")
    moved = sum((both[f"{name}_to"].fillna(0) - both[name].fillna(0)).abs() > 1.01e-4 for name in MONEY) > 0
    assert moved.sum() <= steps.sum() <= len(both)


def test_a_bridge_without_margin_has_none():
    before, alike, now = random_months(1, margin=False)
    table = bridge_of(before, alike, now)
    assert table["margin_12m"].isna().all()
    assert table["sales_12m"].notna().all()
    assert customer_flows(before, alike, SINCE)["margin_12m"].isna().all()
    assert move_table(before, alike, ("tier",))[["margin_gained", "margin_lost"]].isna().all(axis=None)


def test_the_first_month_is_all_new():
    table = bridge_of(BEFORE.head(0), ALIKE.assign(first_order=pd.Timestamp("2025-12-02")), ALIKE)
    assert table.loc[["before", "new", "now"], "n_customers"].tolist() == [0, 8, 8]
    assert table.loc["new", "clv_12m"] == table.loc["now", "clv_12m"] == 178.0


def test_moves_by_hand():
    matrix = movement_matrix(BEFORE, ALIKE, "tier")
    assert matrix.to_numpy().sum() == 6
    assert matrix.loc["gold", "iron"] == 1
    assert moves(BEFORE, ALIKE, ("tier",)).iloc[0, 1:].tolist() == pytest.approx([3, 3, 2, 0.5])
    table = move_table(BEFORE, ALIKE, ("tier", "stage")).set_index(["kind", "from_code", "to_code"])
    climbed = table.loc[("tier", "iron", "gold")]
    assert climbed[["n_customers", "sales_from", "sales_to", "sales_gained", "sales_lost"]].tolist() == [
        2,
        200,
        330,
        130,
        0,
    ]
    assert table.loc[("tier", "gold", "iron"), ["sales_lost", "margin_lost"]].tolist() == [60, 20]
    assert ("tier", "lead", "lead") not in table.index
    assert list(table.loc["tier"].index) == [("iron", "gold"), ("gold", "iron")]


@pytest.mark.parametrize("seed", range(4))
def test_moves_hold_every_customer_who_moved_and_all_their_money(seed):
    before, alike, _ = random_months(seed)
    table = move_table(before, alike, ("tier", "stage"))
    both = before.merge(alike, on="customer_id", suffixes=("", "_to"))
    for kind in ("tier", "stage"):
        moved = both[both[kind].astype(str) != both[f"{kind}_to"].astype(str)]
        own = table[table["kind"] == kind]
        assert own["n_customers"].sum() == len(moved) == moves(before, alike, (kind,))["n_moved"].iloc[0]
        change = (moved["sales_12m_to"] - moved["sales_12m"]).sum()
        assert (own["sales_gained"] - own["sales_lost"]).sum() == pytest.approx(change)
        assert (own[["sales_gained", "sales_lost"]] >= 0).all(axis=None)


def test_movers_are_those_with_most_money():
    up, down = (movers(BEFORE, ALIKE, "tier", up=up) for up in (True, False))
    assert up["customer_id"].tolist() == ["back", "buyer"]
    assert down[["customer_id", "from_code", "to_code", "sales_change"]].to_numpy().tolist() == [
        ["quiet", "gold", "iron", -60.0]
    ]
    assert len(movers(BEFORE, ALIKE, "tier", n=1)) == 1
    assert movers(BEFORE, BEFORE).empty


def test_words_for_moves():
    assert move_words("stage", "zh")["from_code"]["drop"] == "淘汰期"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("by", ["clv_12m", "margin_12m"])
def test_the_bridge_is_drawn_where_its_numbers_are(language, by):
    table = value_bridge(BEFORE, ALIKE, NOW, SINCE)
    ax = plots.plot_bridge(table, by, language=language, currency="CNY")
    check_words(ax)
    bars = ax.patches
    ends = table.set_index("bridge_part")[by].drop("now").cumsum()
    assert bars[-1].get_x() + bars[-1].get_width() == pytest.approx(ends.iloc[-1])
    for bar, end, amount in list(zip(bars, ends, table[by], strict=False))[1:-1]:
        edges = sorted([bar.get_x(), bar.get_x() + bar.get_width()])
        assert edges == pytest.approx(sorted([end, end - amount]), abs=1e-9)
    assert [label.get_text() for label in ax.get_yticklabels()][1] == labels("bridge_part", language)["new"]


@pytest.mark.parametrize(
    "amounts",
    [
        [0.0, 0.0, 0.0, 0.0],
        [1e9, 1.0, -2.0, 1e9 - 1],
        [-50.0, 20.0, -10.0, -40.0],
        [0.0, 9.0, 0.0, 9.0],
        [5.0, -9.0, 0.0, -4.0],
    ],
)
def test_odd_bridges_are_drawn(amounts):
    table = pd.DataFrame({"bridge_part": ["before", "new", "lost", "now"], "clv_12m": amounts})
    for language in LANGUAGES:
        check_words(plots.plot_bridge(table, language=language))
    left, right = plots.plot_bridge(table).get_xlim()
    assert left < right
    assert left <= min(amounts[0], amounts[0] + amounts[1], amounts[-1])


def test_a_bridge_of_unknown_margin_says_so():
    before, alike, now = random_months(2, margin=False)
    ax = plots.plot_bridge(value_bridge(before, alike, now, SINCE), "margin_12m")
    assert not ax.patches


@pytest.fixture(scope="module")
def december(sample):
    settings = load_settings(data=sample)
    orders = read(sample, settings)
    customers, attributes = customer_table(orders), read_attributes(sample, settings)
    now = month(customers, orders.as_of, settings, attributes)
    before = earlier_month(orders, settings, attributes)
    alike = remeasured(before, now, customers, settings, attributes)
    bridge = value_bridge(before.scorecard, alike, now.scorecard, before.as_of)
    return totals(orders_by_month(orders), before, now), before, alike, now, bridge


def test_things_are_ranked_by_money_and_true(december):
    _, before, alike, now, bridge = december
    things = {thing.code: thing for thing in things_to_know(before, alike, now, bridge, n=99)}
    money = [thing.money for thing in things_to_know(before, alike, now, bridge, n=99)]
    assert money == sorted(money, reverse=True)
    assert min(money) > 0
    card, rate = now.scorecard, things["thin_margin"].values["rate"]
    decline = card.loc[card["stage"] == "decline", "value_at_risk"].sort_values(ascending=False)
    risk = things["at_risk"]
    assert (risk.values["n"], risk.money) == (len(decline), pytest.approx(decline.sum()))
    few = risk.values["few"]
    assert decline.head(few - 1).sum() < risk.money / 2 <= decline.head(few).sum()
    new = alike[alike["first_order"] > pd.Timestamp(before.as_of)]
    assert (things["new"].values["n"], things["new"].money) == (len(new), pytest.approx(new["clv_12m"].sum()))
    assert things["act"].values["n"] == first_step(actions_summary(card))["n_customers"]
    buyers = card[card["sales_12m"] > 0]
    thin = buyers[(buyers["quadrant"] == "high_low") & (buyers["margin_12m"] < rate * buyers["sales_12m"])]
    assert things["thin_margin"].money == pytest.approx((rate * thin["sales_12m"] - thin["margin_12m"]).sum())
    assert things["thin_margin"].values["n"] == len(thin) < 0.25 * len(buyers)
    assert ((buyers["margin_12m"] / buyers["sales_12m"]) >= rate).mean() == pytest.approx(0.75, abs=0.01)


@pytest.mark.parametrize("language", LANGUAGES)
def test_five_things_are_said_and_linked(december, language):
    said = five_things(*december, language, currency="CNY")
    assert len(said.sentences) == 5
    pages = {path.stem + ".html" for path in notebooks_folder().glob("[0-9]*.ipynb")}
    assert {sentence.href for sentence in said.sentences} <= pages
    assert all("{" not in sentence.text and any(map(str.isdigit, sentence.text)) for sentence in said.sentences)
    assert said._repr_html_().count("<a href=") == 5
    assert repr(said).startswith("1. 2025-12")


def test_the_month_is_compared_with_the_same_month_a_year_before(december):
    """The season: sales of December against November alone would tell nothing."""
    sales = december[0].set_index("total").loc["sales"]
    assert sales["change_year"] == pytest.approx(sales["this_month"] / sales["year_before"] - 1)
    said = repr(five_things(*december, currency="CNY").sentences[0])
    assert f"{sales['change_year']:+.1%} on the same month a year before" in said
    assert "同比" in repr(five_things(*december, "zh", currency="CNY").sentences[0])
    unknown = december[0].assign(year_before=np.nan, change_year=np.nan)
    assert "year before" not in repr(five_things(unknown, *december[1:]).sentences[0])


def test_a_change_of_the_model_alone_is_not_called_good_business(december):
    _, before, alike, now, bridge = december
    table = bridge.set_index("bridge_part").astype({"clv_12m": float})
    table.loc["yardstick", "clv_12m"] = 9e6
    table.loc["now", "clv_12m"] = 10e6
    said = five_things(december[0], before, alike, now, table.reset_index())
    assert "a new estimate of the model: 9,000,000. The estimate changed" in repr(said)


def test_every_thing_has_its_sentence_and_page():
    codes = {key.removeprefix("thing_") for key in catalogue("findings") if key.startswith("thing_")}
    assert codes - {"none"} == set(_PAGES)
    assert len(_FINDERS) == len(_PAGES) - 1  # rising and falling value are one finder


def test_a_fall_of_the_value_is_told_as_one(december):
    _, before, alike, now, bridge = december
    table = bridge.set_index("bridge_part").astype({"clv_12m": float})
    table.loc["now", "clv_12m"] = table.loc["before", "clv_12m"] / 2
    things = things_to_know(before, alike, now, table.reset_index(), n=99)
    fall = next(thing for thing in things if thing.code == "value_falls")
    assert fall.values["change"] == pytest.approx(-0.5)
    assert fall.values["part"] == -table["clv_12m"].drop(["before", "now"]).min()
    assert fall.values["step"] == "customers worth less than before"
    assert isinstance(fall, Thing)


@pytest.mark.parametrize("n", [1, 3, 9])
def test_few_customers_without_margin_get_true_sentences(n):
    rows = pd.DataFrame(
        {
            "customer_id": [str(i % n) for i in range(2 * n)],
            "order_date": ["2025-10-05"] * n + ["2025-12-06"] * n,
            "amount": 10.0,
        }
    )
    settings = load_settings(as_of="2025-12-31")
    orders = read(rows, settings)
    customers = customer_table(orders)
    now, before = month(customers, orders.as_of, settings), earlier_month(orders, settings)
    alike = remeasured(before, now, customers, settings)
    bridge = value_bridge(before.scorecard, alike, now.scorecard, before.as_of)
    sums = totals(orders_by_month(orders), before, now)
    for language in LANGUAGES:
        said = repr(five_things(sums, before, alike, now, bridge, language))
        assert "nan" not in said
        assert "–" not in said
    check_words(plots.plot_bridge(bridge, language="zh"))
    assert set(moves(before.scorecard, alike)["kind"]) == set(KINDS)


def test_a_shop_of_one_time_buyers_says_that_nothing_can_be_valued():
    rows = pd.DataFrame({"customer_id": ["1", "2"], "order_date": "2025-12-06", "amount": 10.0})
    settings = load_settings(as_of="2025-12-31")
    orders = read(rows, settings)
    now, before = month(customer_table(orders), orders.as_of, settings), earlier_month(orders, settings)
    alike = remeasured(before, now, customer_table(orders), settings)
    bridge = value_bridge(before.scorecard, alike, now.scorecard, before.as_of)
    said = five_things(totals(orders_by_month(orders), before, now), before, alike, now, bridge)
    assert before.notes == ("first",)
    assert "nothing can be valued" in said.sentences[1].text.lower()


def test_who_ordered_anew_after_his_only_order_came_back_is_new():
    """He stood in the earlier report, but his first order is of this month: the page says so everywhere alike."""
    known = BEFORE.head(1).assign(customer_id="again")
    now = known.assign(first_order=pd.Timestamp("2025-12-04"), last_order=pd.Timestamp("2025-12-04"), clv_12m=70.0)
    before = pd.concat([BEFORE, known], ignore_index=True)
    flows = customer_flows(before, pd.concat([BEFORE, now], ignore_index=True), SINCE).set_index("flow")
    assert flows.loc["new", "n_customers"] == 1
    assert flows.loc["new", "clv_change"] == 70.0 - known["clv_12m"].iloc[0]
    bridge = value_bridge(before, pd.concat([BEFORE, now]), pd.concat([BEFORE, now]), SINCE).set_index("bridge_part")
    assert bridge.loc["new", "n_customers"] == 1
    assert "corrected" not in bridge.index

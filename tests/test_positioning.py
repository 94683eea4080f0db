"""Positions: correspondence analysis against a published table, noise, the relation ladder, the buying factors."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from conftest import real_file
from matplotlib import pyplot as plt
from scipy.stats import chi2_contingency

from custvalue import customer_table, load_settings, read, read_attributes, read_campaigns
from custvalue.errors import UsageError
from custvalue.habits import HABITS, buying_habits
from custvalue.plots import plot_ladder, plot_map
from custvalue.positioning import (
    FACTORS,
    RUNGS,
    PositioningRules,
    buying_factors,
    conversion,
    factor_table,
    perceptual_map,
    relation_ladder,
)
from custvalue.positioning.maps import OTHERS, correspondence
from custvalue.reasons import factor_lists, ladder_sentence, map_words
from custvalue.segmentation import behaviour_segments
from custvalue.tables import notes

#: Staff groups by smoking habit, the example of Greenacre (1984): none, light, medium, heavy.
SMOKERS = pd.DataFrame(
    [[4, 2, 3, 2], [4, 3, 7, 4], [25, 10, 12, 4], [18, 24, 33, 13], [10, 6, 7, 2]],
    index=["senior managers", "junior managers", "senior staff", "junior staff", "secretaries"],
    columns=["none", "light", "medium", "heavy"],
)


def people(counts: pd.DataFrame, times: int = 1) -> pd.DataFrame:
    """A customer table in which the counts of a table are found again."""
    cells = counts.stack()
    cells = cells.loc[cells.index.repeat(times * cells.to_numpy())].reset_index()
    return cells.iloc[:, :2].set_axis(["segment", "main_category"], axis=1)


@pytest.fixture(scope="module")
def shop(sample):
    settings = load_settings("", sample)
    orders = read(sample, settings)
    table = customer_table(orders)
    table = table.merge(behaviour_segments(table), on="customer_id")
    return table, read_attributes(sample, settings), orders, read_campaigns(sample, settings).table


# ---- correspondence analysis


def test_the_published_inertias():
    points, inertias = correspondence(SMOKERS)
    assert inertias.round(4).tolist() == [0.0748, 0.0100, 0.0004]
    assert inertias.sum() == pytest.approx(0.0852, abs=5e-5)
    assert (100 * inertias / inertias.sum()).round(1).tolist() == [87.8, 11.8, 0.5]
    published = {"senior managers": 0.0658, "junior managers": 0.2590, "senior staff": 0.3806, "junior staff": 0.2330}
    found = points.set_index("point")["x"].abs()
    assert {name: round(found[name], 4) for name in published} == published


def test_inertia_is_chi_square_over_n_and_nothing_is_lost():
    points, inertias = correspondence(SMOKERS)
    expected = chi2_contingency(SMOKERS, correction=False)
    assert inertias.sum() * SMOKERS.to_numpy().sum() == pytest.approx(expected.statistic)
    for side in ("group", "category"):
        own = points[points["side"] == side]
        assert own[["contribution_x", "contribution_y"]].sum().tolist() == pytest.approx([1, 1])
        mass = own["n_customers"] / own["n_customers"].sum()
        assert (mass * own["x"]).sum() == pytest.approx(0, abs=1e-12)
        assert (mass * own["x"] ** 2).sum() == pytest.approx(inertias[0])


def test_distances_on_a_full_map_are_chi_square_distances():
    three = SMOKERS[["none", "light", "medium"]]
    points, _ = correspondence(three)
    profiles, mass = three.div(three.sum(axis=1), axis=0), three.sum() / three.to_numpy().sum()
    own = points[points["side"] == "group"].set_index("point")[["x", "y"]]
    for one, other in combinations(three.index, 2):
        chi = (((profiles.loc[one] - profiles.loc[other]) ** 2) / mass).sum() ** 0.5
        assert np.hypot(*(own.loc[one] - own.loc[other])) == pytest.approx(chi)


def test_the_test_of_a_point_is_that_of_its_row_against_all_others():
    points, _ = correspondence(SMOKERS)
    for group in SMOKERS.index:
        two = pd.DataFrame([SMOKERS.loc[group], SMOKERS.drop(index=group).sum()])
        expected = chi2_contingency(two, correction=False).pvalue
        assert points.set_index("point").loc[group, "p_value"] == pytest.approx(expected)


# ---- the map


def test_a_small_table_is_no_map_and_a_large_one_is():
    few = perceptual_map(people(SMOKERS))
    assert not few.beyond_chance
    assert few.p_value == pytest.approx(0.1718, abs=5e-5)
    assert few.notes == ("map_chance", "map_thin")
    assert str(map_words(few)) == ""
    assert "can be chance" in str(notes("positioning", few.notes))
    many = perceptual_map(people(SMOKERS, 10))
    assert many.beyond_chance
    assert many.inertia == pytest.approx(few.inertia)
    axis = many.axes.set_index("axis").loc["x"]
    assert {axis["low_category"], axis["high_category"]} == {"none", "medium"}
    assert "none" in map_words(many).texts[1]


def test_labels_drawn_at_random_are_seldom_a_map():
    rng = np.random.default_rng(5)
    tables = (
        pd.DataFrame({"segment": rng.choice(list("abcd"), 800), "main_category": rng.choice(list("uvwxyz"), 800)})
        for _ in range(100)
    )
    maps = [perceptual_map(table) for table in tables]
    assert sum(found.beyond_chance for found in maps) <= 12  # 5% of 100 is 5, three standard deviations above: 12
    groups = [found.table[found.table["side"] == "group"]["sure"].any() for found in maps]
    assert sum(groups) <= 12


def test_the_second_axis_is_not_read_where_it_can_be_chance():
    one_axis = pd.DataFrame([[300, 100, 200], [100, 300, 200], [200, 200, 200]], index=list("abc"), columns=list("uvw"))
    found = perceptual_map(people(one_axis))
    assert found.axes["share_inertia"].tolist()[0] == pytest.approx(1)
    strong = perceptual_map(
        people(pd.DataFrame(np.eye(3, dtype=int) * 90 + 10, index=list("abc"), columns=list("uvw")))
    )
    assert strong.axes["p_value"].max() < 0.001
    assert len(map_words(strong).texts) == 4
    weak = perceptual_map(people(one_axis + np.array([[0, 3, 0], [0, 0, 3], [3, 0, 0]])))
    assert weak.axes["p_value"].iloc[1] > 0.05
    assert "What the second axis shows can be chance" in str(map_words(weak))


def test_the_smallest_categories_are_one_point():
    rng = np.random.default_rng(1)
    kinds = [f"k{i:02}" for i in range(30)]
    table = pd.DataFrame({"segment": rng.choice(list("ab"), 900), "main_category": rng.choice(kinds, 900)})
    found = perceptual_map(table)
    categories = found.table[found.table["side"] == "category"]
    assert len(categories) == 9
    assert categories["point"].iloc[-1] == OTHERS
    assert categories["n_customers"].sum() == 900
    assert "map_merged:22" in found.notes


def test_customers_without_a_category_are_left_out():
    table = people(SMOKERS, 10)
    table.loc[:99, "main_category"] = None
    assert perceptual_map(table).n == 1930 - 100


@pytest.mark.parametrize(
    "table",
    [
        pd.DataFrame({"segment": ["a", "b"], "main_category": ["u", "u"]}),
        pd.DataFrame({"segment": ["a", "a"], "main_category": ["u", "v"]}),
        pd.DataFrame({"segment": ["a"], "main_category": [None]}),
        pd.DataFrame({"segment": [], "main_category": []}),
    ],
)
def test_nothing_to_compare_is_said(table):
    found = perceptual_map(table)
    assert found.notes == ("map_empty",)
    assert found.table.empty
    assert not plot_map(found).has_data()
    plt.close("all")


def test_two_groups_have_one_axis():
    found = perceptual_map(people(SMOKERS.iloc[2:4], 10))
    assert found.axes["share_inertia"].tolist() == [pytest.approx(1)]
    assert found.table["y"].abs().max() == 0
    plot_map(found)
    plt.close("all")


def test_an_unknown_column_is_named_with_the_nearest():
    with pytest.raises(UsageError, match="main_category"):
        perceptual_map(people(SMOKERS), against="main_categry")


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("against", ["main_category", "acquisition_channel"])
def test_no_name_on_the_map_covers_another(shop, language, against):
    table, attributes, *_ = shop
    table = table.merge(attributes[["customer_id", "acquisition_channel"]], on="customer_id")
    ax = plot_map(perceptual_map(table, against=against), language=language)
    ax.figure.canvas.draw()
    boxes = [label.get_window_extent() for label in ax.texts]
    frame = ax.get_window_extent()
    assert len(boxes) == 7 + table[against].nunique()
    assert not [1 for one, other in combinations(boxes, 2) if one.overlaps(other)]
    assert all(frame.x0 <= box.x0 and box.x1 <= frame.x1 for box in boxes)
    plt.close("all")


# ---- the relation ladder


def customers(**columns) -> pd.DataFrame:
    n = len(next(iter(columns.values())))
    table = pd.DataFrame({"customer_id": [f"{i}" for i in range(n)], "n_repeats": 3, "n_orders_12m": 1})
    return table.assign(sales_12m=10.0).assign(**columns)


def test_every_person_stands_on_one_rung():
    table = customers(n_repeats=[0, 0, 1, 1, 9, 9], n_orders_12m=[1, 9, 5, 6, 0, 2])
    spend = pd.DataFrame({"customer_id": ["4", "5"], "category_spend_year": [19.9, 20.1]})
    found = relation_ladder(table, spend, met=["x", "x", "1"])
    assert found["rung"].tolist() == [
        "known",
        "known",
        "accepted",
        "natural_choice",
        "natural_choice",
        "accepted",
        "met",
    ]
    assert found["rung"].cat.categories.tolist() == list(RUNGS)
    assert found["share_of_wallet"].round(3).dropna().tolist() == [0.503, 0.498]


def test_what_each_rung_brings_adds_up():
    table = customers(n_repeats=[0] * 5 + [2] * 3 + [9] * 2, n_orders_12m=[1] * 8 + [6] * 2)
    found = conversion(relation_ladder(table, met=["m"] * 3 + ["n"]))
    assert found["n_customers"].tolist() == [2, 5, 3, 2]
    assert found["went_on"].tolist()[:3] == [10 / 12, 5 / 10, 2 / 5]
    assert found["share_sales_12m"].sum() == pytest.approx(1)
    assert found["sales_12m"].tolist() == [0, 50, 30, 20]
    assert 'from "Accepted" to "Natural choice": 40.0% go on' in str(ladder_sentence(found))


def test_nobody_met_is_no_conversion():
    found = conversion(relation_ladder(customers(n_repeats=[0, 1])))
    assert np.isnan(found["went_on"].iloc[0])
    assert found["went_on"].iloc[1] == 0.5


def test_a_shop_without_customers_or_sales():
    empty = conversion(relation_ladder(customers(n_repeats=[0]).head(0)))
    assert empty["n_customers"].tolist() == [0, 0, 0, 0]
    assert str(ladder_sentence(empty)) == "No rows."
    silent = conversion(relation_ladder(customers(n_repeats=[0, 1], sales_12m=[0.0, 0.0])))
    assert silent["share_sales_12m"].isna().all()
    plot_ladder(silent)
    plt.close("all")


def test_share_of_wallet_counts_those_who_bought_nothing():
    table = customers(n_repeats=[2, 2], sales_12m=[50.0, 0.0])
    spend = pd.DataFrame({"customer_id": ["0", "1"], "category_spend_year": [200, 300]})
    found = conversion(relation_ladder(table, spend)).set_index("rung")
    assert found.loc["accepted", "share_of_wallet"] == pytest.approx(0.1)


# ---- habits and buying factors


def lines(**columns) -> pd.DataFrame:
    n = len(next(iter(columns.values())))
    table = pd.DataFrame({"customer_id": ["a"] * n, "order_date": pd.date_range("2024-01-01", periods=n).astype(str)})
    return table.assign(amount=10, **{}).assign(**columns)


def habits(table: pd.DataFrame, **options) -> pd.DataFrame:
    days = pd.to_datetime(table["order_date"])
    settings = load_settings(as_of=str(days.max().date()))
    return buying_habits(read(table, settings), **options).set_index("customer_id")


def test_pairs_of_different_days():
    found = habits(lines(category=list("xxyy"), product=list("pqrs"), channel=["web"] * 4)).loc["a"]
    assert found["same_category"] == pytest.approx(2 * 2 / (4 * 3))
    assert found["same_product"] == 0
    assert found["same_channel"] == 1


def test_one_day_tells_nothing_of_habits():
    table = lines(category=["x", "y", "x"], product=list("pqp"), order_date=["2024-01-31"] * 3)
    assert habits(table)[["same_category", "same_product", "same_channel"]].isna().all(axis=None)


def test_variety_does_not_grow_with_the_number_of_purchases():
    rng = np.random.default_rng(3)
    sizes = np.repeat([2, 20], [600, 60])
    ids = np.repeat([f"c{i:04}" for i in range(len(sizes))], sizes)
    day = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.concatenate([np.arange(n) for n in sizes]), "D")
    table = pd.DataFrame({"customer_id": ids, "order_date": day.astype(str), "amount": 10})
    found = habits(table.assign(category=rng.choice(list("abcd"), len(ids))))["same_category"]
    assert found.groupby(sizes).mean().tolist() == pytest.approx([0.25, 0.25], abs=0.06)


def test_the_price_level_is_that_of_a_piece_within_the_category():
    table = lines(
        customer_id=["a", "b", "a", "b"], category=["x", "x", "y", "y"], amount=[20, 20, 4, 16], quantity=[2, 1, 1, 1]
    )
    found = habits(table)["price_level"]
    assert found["a"] == pytest.approx((0.5**0.5 * 0.5) ** 0.5)
    assert found["a"] * found["b"] == pytest.approx(1)


def test_new_products_are_counted_after_the_first_days_of_the_data():
    days = ["2024-01-01", "2024-05-01", "2024-05-02", "2024-09-30"]
    found = habits(lines(order_date=days, product=["old", "new", "old", "new"]), new_days=90)
    assert found.loc["a", "share_new"] == pytest.approx(1 / 3)


def test_columns_the_data_lack_are_missing():
    found = habits(lines(amount=[5, 5]))
    assert found[list(HABITS[1:])].isna().all(axis=None)
    assert found["price_level"].tolist() == [pytest.approx(1)]


def seeded(n: int, shift: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(8)
    ids = [str(i) for i in range(n)]
    table = pd.DataFrame({"customer_id": ids, "segment": np.where(np.arange(n) < n // 2, "a", "b")})
    values = {name: rng.normal(size=n) for name in FACTORS}
    values["habit"] += shift * (table["segment"] == "a")
    return table, pd.DataFrame({"customer_id": ids, **values})


def test_a_planted_reason_is_found_and_its_size_told():
    found = buying_factors(*seeded(2000, 0.5))
    listed = found.table.dropna(subset="rank")
    assert listed[["segment", "factor"]].to_numpy().tolist() == [["a", "habit"]]
    assert listed["difference"].iloc[0] == pytest.approx(0.5, abs=0.1)
    assert found.notes == ("no_list:segment/b",)
    assert factor_lists(found)["factors"].tolist() == ["the usual product", "no list of its own"]


def test_groups_that_do_not_differ_have_no_list():
    found = buying_factors(*seeded(2000, 0.0))
    assert found.notes == ("no_list_at_all",)
    assert "cut wrongly" in str(notes("positioning", found.notes))


def test_differences_are_those_of_the_means_over_the_pooled_deviation():
    from scipy.stats import ttest_ind

    table, values = seeded(60, 0.7)
    found = buying_factors(table, values[["customer_id", "habit"]]).table.iloc[0]
    a, b = (values.loc[table["segment"] == code, "habit"] for code in "ab")
    assert found["difference"] == pytest.approx((a.mean() - b.mean()) / np.sqrt((a.var() + b.var()) / 2))
    assert found["p_value"] == pytest.approx(ttest_ind(a, b, equal_var=False).pvalue)
    assert found["mean_group"] == pytest.approx(a.mean())


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_few_customers_have_no_list(n):
    table, values = seeded(max(n, 1), 0.0)
    found = buying_factors(table.head(n), values.head(n))
    assert found.table["rank"].isna().all()
    assert len(factor_lists(found)) <= 2


def test_all_equal_is_no_difference():
    table, values = seeded(50, 0.0)
    found = buying_factors(table, values.assign(**dict.fromkeys(FACTORS, 1.0)))
    assert found.used == ()
    assert found.table.empty


def test_campaigns_count_only_those_written_to():
    table = pd.DataFrame({"customer_id": ["a", "b", "c"], "n_returns": 0, "n_orders": 1})
    empty = pd.DataFrame({"customer_id": ["a"], **{name: [np.nan] for name in HABITS}})
    sent = pd.DataFrame(
        {"customer_id": ["a", "a", "b"], "responded": [True, False, True], "hold_out": [False, False, True]}
    )
    assert factor_table(table, empty, sent)["offers"].tolist()[0] == 0.5
    assert factor_table(table, empty, sent)["offers"].isna().tolist() == [False, True, True]


def test_the_sample(shop):
    table, attributes, orders, campaigns = shop
    ladder = conversion(relation_ladder(table, attributes, met=attributes["customer_id"]))
    assert ladder["n_customers"].sum() == 5000
    assert ladder["sales_per_customer"].is_monotonic_increasing
    found = buying_factors(table, factor_table(table, buying_habits(orders), campaigns))
    first = found.table[found.table["rank"] == 1].set_index("segment")["factor"]
    assert first["lower_line"] == "price"
    assert first["one_category"] == "habit"


def test_real_orders_without_categories():
    settings = load_settings("examples/cdnow.toml")
    orders = read(real_file("cdnow/CDNOW_master.txt"), settings)
    table = customer_table(orders)
    table = table.merge(behaviour_segments(table), on="customer_id")
    assert perceptual_map(table).notes == ("map_empty",)
    found = buying_factors(table, factor_table(table, buying_habits(orders)))
    assert found.used == ("price", "quality")
    assert found.notes[0].startswith("factors_missing:unknown_factor/offers;unknown_factor/newness")


@pytest.mark.parametrize(
    "wrong", [{"chance": 0}, {"map_points": 2}, {"natural_share": 0}, {"natural_orders": 1}, {"new_days": 0}]
)
def test_limits_that_can_not_be(wrong):
    with pytest.raises(UsageError, match=next(iter(wrong))):
        PositioningRules(**wrong)


def test_a_ladder_without_anybody_on_top_is_told_without_zeros():
    rungs = pd.DataFrame(
        {
            "rung": ["known", "accepted", "natural_choice"],
            "n_customers": [6, 4, 0],
            "share_customers": [0.6, 0.4, 0.0],
            "share_sales_12m": [0.2, 0.8, 0.0],
            "went_on": [0.4, 0.0, None],
        }
    )
    assert ladder_sentence(rungs).text.startswith("We are not yet the natural choice of anybody.")
    assert "还没有人把我们当作首选" in ladder_sentence(rungs, "zh").text

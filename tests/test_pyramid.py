import datetime as dt

import numpy as np
import pandas as pd
import pytest
from conftest import real_file

from custvalue.beside import read_campaigns, with_contact_cost
from custvalue.config import load_settings
from custvalue.errors import DataError, UsageError
from custvalue.labels import labels
from custvalue.pipeline import read, two_months
from custvalue.pyramid import (
    TIERS,
    PyramidRules,
    concentration,
    gini,
    just_under,
    lorenz,
    loss_key,
    loss_makers,
    profit_notes,
    pyramid,
    tier_cuts,
    tier_notes,
    tier_profit,
    tier_summary,
    top_share,
    two_pyramids,
    with_profit,
)
from custvalue.tables import notes


def customers(values):
    return pd.DataFrame({"customer_id": [f"{i:05d}" for i in range(len(values))], "sales": values})


def tier_counts(values, **rules):
    return pyramid(customers(values), PyramidRules(**rules))["tier"].value_counts(sort=False).tolist()


@pytest.mark.parametrize(
    ("n", "counts"),
    [
        (1, [0, 0, 0, 1]),
        (3, [0, 0, 1, 2]),
        (10, [0, 1, 1, 8]),
        (40, [0, 2, 6, 32]),
        (50, [1, 2, 7, 40]),
        (60, [1, 2, 9, 48]),
        (1000, [10, 40, 150, 800]),
    ],
)
def test_cuts_are_rounded_to_the_nearest_customer_halves_up(n, counts):
    assert tier_counts(np.arange(n, dtype=float)) == counts


def test_half_a_customer_is_not_lost_to_binary_fractions():
    assert 0.29 * 50 < 14.5
    assert tier_counts(np.arange(50.0), cuts=(0.02, 0.1, 0.29)) == [1, 4, 10, 35]


def test_customers_tied_across_a_cut_go_down_together():
    values = [9.0, 8.0, 7.0, 7.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0]
    tiers = pyramid(customers(values), PyramidRules(cuts=(0.1, 0.3, 0.5)))["tier"].tolist()
    assert tiers == ["platinum", "gold", "iron", "iron", "iron", *["lead"] * 5]


def test_equal_customers_are_all_lead():
    assert tier_counts([5.0] * 200) == [0, 0, 0, 200]


def test_a_customer_without_value_ranks_last():
    values = [np.nan, -50.0, *range(1, 99)]
    result = pyramid(customers(values))
    assert result["tier"].iloc[0] == "lead"
    assert result["tier"].iloc[-1] == "platinum"


def test_tiers_do_not_depend_on_the_order_of_the_rows_and_leave_the_input_alone():
    table = customers(np.random.default_rng(1).lognormal(size=300))
    before = table.copy()
    shuffled = pyramid(table.sample(frac=1, random_state=2)).set_index("customer_id")["tier"]
    assert pyramid(table).set_index("customer_id")["tier"].equals(shuffled.sort_index())
    pd.testing.assert_frame_equal(table, before)


def test_codes_stand_in_the_order_of_the_labels():
    assert list(labels("tier")) == list(TIERS)
    tier = pyramid(customers([1.0]))["tier"]
    assert list(tier.cat.categories) == list(TIERS)
    assert tier.cat.ordered


def test_a_column_that_is_unknown_or_no_number_is_refused():
    for by in ("margn", "customer_id"):
        with pytest.raises(UsageError) as caught:
            pyramid(customers([1.0]).assign(margin=1.0), PyramidRules(by=by))
        assert caught.value.code == "unknown_column"
        assert caught.value.values["allowed"] == "sales, margin"


def test_a_column_without_any_value_is_refused():
    with pytest.raises(DataError) as caught:
        pyramid(customers([1.0]).assign(margin=np.nan), PyramidRules(by="margin"))
    assert caught.value.code == "column_without_values"


@pytest.mark.parametrize("cuts", [(0.05, 0.01, 0.2), (0.1, 0.2), (0.1, 0.2, 1.0), (0.0, 0.1, 0.2)])
def test_cuts_out_of_order_are_refused(cuts):
    with pytest.raises(UsageError) as caught:
        PyramidRules(cuts=cuts)
    assert caught.value.code == "rule_out_of_range"


def test_summary_of_a_hundred_customers():
    summary = tier_summary(pyramid(customers(np.arange(1.0, 101)))).set_index("tier")
    assert summary["n_customers"].tolist() == [1, 4, 15, 80]
    assert summary["lowest_value"].tolist() == [100, 96, 81, 1]
    assert summary.loc["gold", "mean_value"] == 97.5
    shares = np.array([100, 390, 1320, 3240]) / 5050
    assert summary["share_value"].tolist() == pytest.approx(shares.tolist())
    assert summary["share_customers"].sum() == pytest.approx(1)


def test_summary_of_a_small_table_and_of_a_zero_total():
    summary = tier_summary(pyramid(customers([5.0, -5.0])))
    assert summary["n_customers"].tolist() == [0, 0, 0, 2]
    assert summary["share_value"].isna().all()
    assert np.isnan(summary["mean_value"].iloc[0])


@pytest.mark.parametrize("a", [1.5, 2.0, 3.0])
def test_gini_of_a_pareto_distribution(a):
    grid = (np.arange(1_000_000) + 0.5) / 1_000_000
    assert gini((1 - grid) ** (-1 / a)) == pytest.approx(1 / (2 * a - 1), abs=6e-3 if a < 2 else 1e-3)


def test_gini_of_exponential_and_uniform_values():
    grid = (np.arange(100_000) + 0.5) / 100_000
    assert gini(-np.log(1 - grid)) == pytest.approx(1 / 2, abs=1e-4)
    assert gini(grid) == pytest.approx(1 / 3, abs=1e-4)


@pytest.mark.parametrize("n", [1, 2, 7, 1000])
def test_gini_limits(n):
    assert gini([3.0] * n) == pytest.approx(0, abs=1e-12)
    assert gini([0.0] * (n - 1) + [4.0]) == pytest.approx((n - 1) / n)


def test_gini_is_twice_the_area_between_the_diagonal_and_the_lorenz_curve():
    values = np.random.default_rng(5).lognormal(sigma=1.3, size=500)
    curve = lorenz(values)
    area = np.trapezoid(curve["share_value"], curve["share_customers"])
    assert gini(values) == pytest.approx(1 - 2 * area)


def test_negative_values_count_as_zero_in_the_gini_and_as_they_are_in_shares():
    values = [-20.0, 0.0, 30.0, 90.0]
    assert gini(values) == gini([0.0, 0.0, 30.0, 90.0])
    assert lorenz(values)["share_value"].tolist() == [0.0, -0.2, -0.2, 0.1, 1.0]
    assert top_share(values, 0.5) == 1.2


def test_nothing_to_share():
    for values in ([], [0.0, 0.0], [-1.0]):
        assert np.isnan(gini(values))
        assert np.isnan(top_share(values, 0.2))
    assert lorenz([0.0, 0.0])["share_value"].isna().all()
    assert np.isnan(top_share([5.0, -9.0], 0.5))


def test_top_share_counts_heads_and_ties_do_not_matter():
    assert top_share([5.0] * 10, 0.2) == pytest.approx(0.2)
    assert top_share([5.0] * 10, 0) == 0
    assert top_share([1.0, np.nan, 3.0], 1) == 1


def test_top_share_of_a_percentage_is_refused():
    with pytest.raises(UsageError) as caught:
        top_share([1.0], 20)
    assert caught.value.code == "rule_out_of_range"


def _top_three(sales):
    return [round(100 * top_share(sales, share), 1) for share in (0.01, 0.05, 0.20)]


def test_cdnow_top_shares():
    path = real_file("cdnow/CDNOW_master.txt")
    names = ["id", "day", "cds", "value"]
    rows = pd.read_csv(path, sep=r"\s+", header=0, names=names, dtype={"id": str})
    sales = rows.groupby("id")["value"].sum()
    assert len(sales) == 23570
    assert _top_three(sales) == [15.9, 36.7, 67.8]
    # 1% is 235.7 customers, so 236; the 235 that rounding down would count hold 15.8%
    assert round(100 * sales.nlargest(235).sum() / sales.sum(), 1) == 15.8


def test_online_retail_top_shares():
    path = real_file("online_retail/online_retail.csv.gz")
    columns = ["Quantity", "UnitPrice", "CustomerID"]
    rows = pd.read_csv(path, encoding="latin-1", usecols=columns).dropna()
    rows = rows[(rows["Quantity"] > 0) & (rows["UnitPrice"] > 0)]
    sales = (rows["Quantity"] * rows["UnitPrice"]).groupby(rows["CustomerID"]).sum()
    assert len(sales) == 4338
    assert sales.sum() == pytest.approx(8_911_407.90, abs=0.01)
    assert _top_three(sales) == [31.8, 50.4, 74.6]


def members(margins, orders=1, **columns):
    table = customers(np.arange(float(len(margins)))[::-1] + 1)
    return table.assign(margin_12m=margins, n_orders_12m=orders, days_since_last=10, **columns)


def test_frozen_limits_keep_the_money_of_their_month():
    first = pyramid(customers(np.arange(100.0)))
    kept = tier_cuts(first)
    assert kept["cut_of"].tolist() == ["platinum", "gold", "iron"]
    same = pyramid(customers(np.arange(100.0)), cuts=kept.astype(str))
    assert same["tier"].tolist() == first["tier"].tolist()
    doubled = pyramid(customers(np.arange(100.0) * 2), cuts=kept)
    assert doubled["tier"].value_counts(sort=False).tolist() == [50, 2, 8, 40]


def test_a_tier_without_limit_stays_empty_when_frozen():
    kept = tier_cuts(pyramid(customers(np.arange(10.0))))
    assert kept["cut_of"].tolist() == ["gold", "iron"]
    assert pyramid(customers([99.0, 9.0, 8.0, 0.0]), cuts=kept)["tier"].tolist() == ["gold", "gold", "iron", "lead"]


def test_frozen_limits_of_matrices_alone_leave_the_ranks():
    other = pd.DataFrame({"kind": ["quadrant"], "cut_of": ["sales"], "cut": [5.0]})
    assert pyramid(customers(np.arange(100.0)), cuts=other)["tier"].value_counts(sort=False).tolist() == [1, 4, 15, 80]
    assert tier_notes(pyramid(customers(np.arange(10.0))), cuts=other) == ("few:platinum",)


def test_frozen_limits_that_are_no_numbers_are_refused():
    with pytest.raises(DataError, match=r'frozen limit of "tier" is "x"'):
        pyramid(customers([1.0]), cuts=pd.DataFrame({"kind": ["tier"], "cut_of": ["gold"], "cut": ["x"]}))
    with pytest.raises(DataError, match="frozen limits lacks: cut, cut_of, kind"):
        pyramid(customers([1.0]), cuts=pd.DataFrame({"limit": [1.0]}))


def test_two_months_are_set_against_each_other_in_the_limits_of_the_first():
    before = customers(np.arange(100.0))
    earlier, later = two_pyramids(before, customers(np.arange(101.0) + 1))
    assert (earlier["tier"] == "platinum").sum() == 1
    assert (later["tier"] == "platinum").sum() == 3
    nobody, now = two_pyramids(before.head(0), before)
    assert nobody.empty
    assert now["tier"].value_counts(sort=False).tolist() == [1, 4, 15, 80]


def test_small_shops_say_which_tier_is_empty_and_who_went_down_with_equals():
    def said(values, **rules):
        return tier_notes(pyramid(customers(values), PyramidRules(**rules)), PyramidRules(**rules))

    assert said([1.0, 2.0, 3.0]) == ("few:platinum", "few:gold")
    assert said(np.arange(50.0)) == ()
    assert said(np.arange(500.0)) == ()
    assert said([5.0] * 30) == ("all_equal",)
    assert said([*[9.0] * 8, *[1.0] * 92]) == ("ties:17",)
    assert '"B · Gold" is empty' in str(notes("pyramid", ("few:gold",)))


def test_ties_are_the_customers_a_cut_by_rank_would_have_held():
    values = [*[9.0] * 8, *[1.0] * 92]
    counts = pyramid(customers(values))["tier"].value_counts(sort=False).tolist()
    assert counts == [0, 0, 8, 92]


@pytest.mark.parametrize("n", [1, 3, 50, 500])
def test_every_table_of_a_small_shop(n):
    rng = np.random.default_rng(n)
    served = with_profit(members(rng.normal(5, 10, n)), PyramidRules(cost_per_order=3.0))
    table = pyramid(served)
    parts = tier_profit(table, served)
    assert parts["n_customers"].sum() == n
    assert parts["profit_12m"].sum() == pytest.approx(served["profit_12m"].sum())
    assert parts["n_loss"].sum() == len(loss_makers(table, served)) == (served["profit_12m"] < 0).sum()
    assert parts["loss"].sum() == pytest.approx(served["profit_12m"].clip(upper=0).sum())
    near = just_under(table, 0.5)
    assert (near["value"] < near["cut"]).all()
    assert (near["value"] + near["to_cut"]).tolist() == pytest.approx(near["cut"].tolist())


def test_profit_is_margin_less_the_stated_cost_else_the_cost_per_order_and_messages():
    table = members([100.0, 50.0, np.nan], orders=[4, 2, 0])
    attributes = pd.DataFrame({"customer_id": ["00000", "00002"], "service_cost": [30.0, np.nan]})
    attributes["contact_cost_12m"] = [1.0, 2.0]
    served = with_profit(table, PyramidRules(cost_per_order=5.0), attributes)
    assert served["service_cost"].tolist() == [31.0, 10.0, 2.0]
    assert served["profit_12m"].tolist() == [69.0, 40.0, -2.0]
    assert served["margin_per_order"].tolist()[:2] == [25.0, 25.0]
    assert np.isnan(served["margin_per_order"].iloc[2])
    assert list(table) == ["customer_id", "sales", "margin_12m", "n_orders_12m", "days_since_last"]


def test_problem_customers_in_the_lead_tier_show():
    served = with_profit(members([50.0, *[20.0] * 18, 1.0]), PyramidRules(cost_per_order=8.0))
    table = pyramid(served)
    losing = loss_makers(table, served)
    assert losing[["customer_id", "tier"]].to_numpy().tolist() == [["00019", "lead"]]
    assert losing["profit_12m"].tolist() == [-7.0]
    assert tier_profit(table, served).set_index("tier").loc["lead", "loss"] == -7.0
    assert loss_key(served) == "findings.loss_makers"


@pytest.mark.parametrize(("loss", "key"), [(-9.9, "findings.loss_makers_small"), (-10.0, "findings.loss_makers")])
def test_losses_below_a_hundredth_of_the_profit_are_told_as_small(loss, key):
    assert loss_key(pd.DataFrame({"profit_12m": [400.0, 600.0, 0.0, np.nan, loss]})) == key


def test_without_margin_or_cost_the_page_says_what_could_not_be_done():
    unknown = with_profit(members([np.nan] * 3))
    assert profit_notes(unknown) == ("margin_unknown",)
    assert loss_key(unknown) == "findings.loss_makers_unknown"
    nothing = tier_profit(pyramid(unknown), unknown)
    assert nothing[["margin_12m", "service_cost", "profit_12m", "n_loss", "loss"]].isna().all(axis=None)
    assert loss_makers(pyramid(unknown), unknown).empty
    free = with_profit(members([1.0, 2.0]))
    assert profit_notes(free) == ("cost_unknown",)
    assert free["service_cost"].isna().all()
    assert free["profit_12m"].tolist() == [1.0, 2.0]
    assert loss_key(free) == "findings.loss_makers_none"
    messages = pd.DataFrame({"customer_id": ["00000"], "contact_cost_12m": [0.3]})
    assert profit_notes(with_profit(members([1.0]), None, messages), None, messages) == ("messages_only",)


@pytest.mark.parametrize("wrong", [{"cost_per_order": -1.0}, {"cost_per_order": float("nan")}, {"just_under": 0.0}])
def test_wrong_costs_and_shares_are_refused(wrong):
    with pytest.raises(UsageError, match=r"Allowed: "):
        PyramidRules(**wrong)


def test_a_cost_that_is_no_number_is_refused():
    attributes = pd.DataFrame({"customer_id": ["00000"], "service_cost": ["dear"]})
    with pytest.raises(DataError, match=r'"service_cost".*for example "dear"'):
        with_profit(members([1.0]), None, attributes)


def test_who_stands_just_under_a_limit():
    table = pyramid(customers([*np.arange(1.0, 80), 89.9, *np.arange(100.0, 120)]))
    near = just_under(table, 0.102)
    assert near["next_tier"].value_counts(sort=False).tolist() == [4, 11, 1, 0]
    assert near["to_cut"].iloc[:2].tolist() == [1.0, 1.0]
    assert near.set_index("customer_id").loc["00079", ["next_tier", "cut"]].tolist() == ["iron", 100.0]
    assert near.set_index("customer_id").loc["00079", "to_cut"] == pytest.approx(10.1)
    assert just_under(table, 0.1).query("customer_id == '00079'").empty
    assert just_under(pyramid(customers([-1.0] * 5 + [-2.0] * 5)), 0.5).empty


def test_everything_from_one_sort_equals_the_single_measures():
    values = np.random.default_rng(3).lognormal(sigma=1.4, size=5_001)
    found = concentration(np.append(values, np.nan), points=1_000)
    assert found.gini == pytest.approx(gini(values))
    assert found.top == {share: top_share(values, share) for share in (0.01, 0.05, 0.20)}
    assert len(found.curve) == 1_001
    whole = lorenz(values)
    np.testing.assert_allclose(
        np.interp(found.curve["share_customers"], whole["share_customers"], whole["share_value"]),
        found.curve["share_value"],
    )
    assert found.n == 5_001
    assert np.isnan(concentration([]).gini)


def test_the_pyramid_by_expected_value_and_by_profit_of_the_sample(sample):
    orders = read(sample)
    now, before = two_months(orders, load_settings(data=sample), ["clv_12m"])
    assert now["clv_12m"].notna().all()
    assert before["clv_12m"].notna().all()
    served = with_profit(now, None, with_contact_cost(None, sample, orders.as_of))
    heads = [round(len(now) * cut) for cut in PyramidRules().cuts]
    for by in ("clv_12m", "profit_12m", "sales_12m", "margin"):
        tiers = pyramid(served, PyramidRules(by=by))["tier"].value_counts(sort=False)
        assert tiers.cumsum().tolist()[:3] == heads


def test_messages_of_the_last_year_are_part_of_the_cost(tmp_path, rows):
    rows.to_csv(tmp_path / "orders.csv", index=False)
    days = (("01", "2024-02-01", 3), ("01", "2024-03-01", 5), ("02", "2023-02-28", 7), ("02", "2023-03-02", 1.5))
    sent = "customer_id,sent_date,cost,campaign\n" + "".join(f"{i},{day},{cost},mail\n" for i, day, cost in days)
    (tmp_path / "campaigns.csv").write_text(sent, "utf-8")
    cost = with_contact_cost(None, tmp_path, dt.date(2024, 2, 29)).set_index("customer_id")["contact_cost_12m"]
    assert cost.to_dict() == {"01": 3.0, "02": 1.5}
    known = pd.DataFrame({"customer_id": ["03"], "age": [30]})
    joined = with_contact_cost(known, tmp_path, dt.date(2024, 2, 29)).set_index("customer_id")["contact_cost_12m"]
    assert joined.to_dict() == {"01": 3.0, "02": 1.5, "03": 0.0}
    assert with_contact_cost(known, rows, dt.date(2024, 2, 29)) is known


def test_messages_that_can_not_be_read_are_not_counted(tmp_path):
    lines = "01,2024-02-01,3,mail\n01,soon,3,mail\n01,2024-02-01,dear,mail\n"
    (tmp_path / "campaigns.csv").write_text(f"customer_id,sent_date,cost,campaign\n{lines}", "utf-8")
    cost = with_contact_cost(None, tmp_path, dt.date(2024, 2, 29))
    assert cost["contact_cost_12m"].tolist() == [3.0]
    quality = read_campaigns(tmp_path).quality
    assert quality.set_index("reason")["rows"].to_dict() == {"known_customer": 1, "bad_date": 1, "bad_amount": 1}


def test_messages_without_a_customer_are_refused(tmp_path):
    (tmp_path / "campaigns.csv").write_text("sent_date,cost,campaign\n2024-02-01,3,mail\n", "utf-8")
    with pytest.raises(DataError, match="lacks the column customer_id"):
        with_contact_cost(None, tmp_path, dt.date(2024, 2, 29))

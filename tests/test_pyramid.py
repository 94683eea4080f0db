from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from custvalue.errors import DataError, UsageError
from custvalue.labels import labels
from custvalue.pyramid import TIERS, PyramidRules, gini, lorenz, pyramid, tier_summary, top_share

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


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
    path = DATA / "cdnow" / "CDNOW_master.txt"
    if not path.exists():
        pytest.skip("the CDNOW master file is not beside the repository")
    names = ["id", "day", "cds", "value"]
    rows = pd.read_csv(path, sep=r"\s+", header=0, names=names, dtype={"id": str})
    sales = rows.groupby("id")["value"].sum()
    assert len(sales) == 23570
    assert _top_three(sales) == [15.9, 36.7, 67.8]
    # 1% is 235.7 customers, so 236; the 235 that rounding down would count hold 15.8%
    assert round(100 * sales.nlargest(235).sum() / sales.sum(), 1) == 15.8


def test_online_retail_top_shares():
    path = DATA / "online_retail" / "online_retail.csv.gz"
    if not path.exists():
        pytest.skip("the Online Retail file is not beside the repository")
    columns = ["Quantity", "UnitPrice", "CustomerID"]
    rows = pd.read_csv(path, encoding="latin-1", usecols=columns).dropna()
    rows = rows[(rows["Quantity"] > 0) & (rows["UnitPrice"] > 0)]
    sales = (rows["Quantity"] * rows["UnitPrice"]).groupby(rows["CustomerID"]).sum()
    assert len(sales) == 4338
    assert sales.sum() == pytest.approx(8_911_407.90, abs=0.01)
    assert _top_three(sales) == [31.8, 50.4, 74.6]

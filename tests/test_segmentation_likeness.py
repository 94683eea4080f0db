"""The best of last year, what sets groups apart and who is like them: known truth, permuted labels, thin data."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, fisher_exact

from custvalue.beside import read_attributes
from custvalue.customers import customer_table
from custvalue.errors import UsageError
from custvalue.firsts import first_baskets
from custvalue.groupwords import level_words, reason_words, sets_apart
from custvalue.pipeline import read
from custvalue.profiles import attribute_levels, distinguishing, most_distinguishing
from custvalue.segmentation import SegmentationRules, best_customers, early_levels, look_alikes


@pytest.fixture(scope="module")
def sample_orders(sample):
    return read(sample)


@pytest.fixture(scope="module")
def sample_customers(sample_orders):
    return customer_table(sample_orders)


@pytest.fixture(scope="module")
def shop():
    """Customers of the north spend three times as much; age, consent and the shop say nothing."""
    rng = np.random.default_rng(5)
    n = 2_000
    region = rng.choice(["north", "south", "east", "west"], n)
    customers = pd.DataFrame({"customer_id": [f"{i:05d}" for i in range(n)], "tenure_days": rng.integers(0, 1500, n)})
    customers["sales_12m"] = rng.lognormal(4, 1, n) * np.where(region == "north", 3, 1)
    facts = {"region": region, "age": rng.choice(list("abc"), n), "consent": rng.integers(0, 2, n)}
    return customers, pd.DataFrame({"customer_id": customers["customer_id"], **facts})


def found_of(shop):
    customers, attributes = shop
    table = best_customers(customers).merge(early_levels(customers, attributes), on="customer_id")
    return distinguishing(table, "group_12m")


# ---- attributes as levels


def test_levels_of_each_kind_of_column():
    table = pd.DataFrame(
        {
            "customer_id": [f"{i}" for i in range(8)],
            "yes": [0, 1, 0, 1, None, 1, 1, 1],
            "children": [0, 1, 2, 3, 2, 1, 0, None],
            "first_amount": [1.0, 2, 3, 4, 5, 6, 7, 8],
            "alike": "x",
            "referrer": list("aabbccdd"),
            "acquisition_cost": range(8),
            "note": [None] * 8,
        }
    )
    levels = attribute_levels(table)
    assert levels.columns.tolist() == ["customer_id", "yes", "children", "first_amount"]
    assert levels["yes"].astype(object).where(levels["yes"].notna(), None).tolist()[:5] == [
        "no",
        "yes",
        "no",
        "yes",
        None,
    ]
    assert levels["children"].cat.categories.tolist() == ["0", "1", "2", "3"]
    assert levels["first_amount"].tolist() == ["low"] * 2 + ["lower_middle"] * 2 + ["upper_middle"] * 2 + ["high"] * 2


def test_equal_numbers_are_never_split():
    values = [0.0] * 60 + [float(i) for i in range(1, 41)]
    levels = attribute_levels(pd.DataFrame({"customer_id": range(100), "spent": values}))["spent"]
    assert levels[:60].nunique() == 1
    assert levels.value_counts()["low"] == 60


def test_names_and_addresses_are_no_attributes():
    table = pd.DataFrame(
        {"customer_id": range(60), "street": [f"street {i}" for i in range(60)], "shop": ["a", "b"] * 30}
    )
    assert attribute_levels(table).columns.tolist() == ["customer_id", "shop"]


# ---- what sets a group apart


def test_shares_lift_and_test_of_one_comparison():
    table = pd.DataFrame(
        {"g": ["a"] * 30 + ["b"] * 70, "shop": ["web"] * 20 + ["store"] * 10 + ["web"] * 20 + ["store"] * 50}
    )
    row = distinguishing(table, "g").iloc[1]
    assert (row["g"], row["attribute"], row["level"], row["n_with"]) == ("a", "shop", "web", 20)
    assert (row["share_here"], row["share_others"]) == pytest.approx((20 / 30, 20 / 70))
    assert row["lift"] == pytest.approx(7 / 3)
    one_sided = fisher_exact([[20, 10], [20, 50]], alternative="greater").pvalue
    assert row["p_value"] == pytest.approx(2 * one_sided)


def test_unknown_values_count_on_neither_side_and_unknown_groups_among_the_others():
    table = pd.DataFrame({"g": ["a", "a", None, "b", "b"], "shop": ["web", None, "web", "store", None]})
    row = distinguishing(table, "g").set_index(["g", "level"]).loc[("a", "web")]
    assert (row["share_here"], row["share_others"]) == (1.0, 0.5)


def test_the_attribute_that_matters_is_found_and_no_other(shop):
    found = found_of(shop)
    assert set(found.loc[found["sure"], "attribute"]) == {"region"}
    said = most_distinguishing(found, "group_12m")
    assert said.iloc[0][["group_12m", "level"]].tolist() == ["best", "north"]
    assert said.iloc[0]["lift"] > 1.5


def test_permuted_labels_give_almost_no_findings(shop):
    customers, attributes = shop
    levels, group = early_levels(customers, attributes), best_customers(customers)["group_12m"]
    rng = np.random.default_rng(11)
    wrong = 0
    for _ in range(60):
        table = levels.assign(group=pd.Categorical(rng.permutation(group.astype(str))))
        wrong += distinguishing(table, "group")["sure"].any()
    assert binomtest(int(wrong), 60, 0.05, alternative="greater").pvalue > 0.01


def test_one_group_or_no_attribute_leaves_nothing_to_compare(shop):
    _, attributes = shop
    assert distinguishing(attributes.assign(g="all"), "g", ["region"]).empty
    nothing = distinguishing(attributes[["customer_id"]].assign(g=["a", "b"] * 1000), "g")
    assert nothing.empty
    assert sets_apart(most_distinguishing(nothing, "g"), "g").texts[0].startswith("Nothing known")


def test_many_groups_of_many_levels_are_counted_apart():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"g": rng.integers(0, 12, 3_000), "a": rng.integers(0, 30, 3_000)}).astype(str)
    found = distinguishing(table, "g").set_index(["g", "level"])["n_with"]
    assert found.sum() == 3_000
    assert found["11", "29"] == ((table["g"] == "11") & (table["a"] == "29")).sum()


def test_unknown_attribute_names_the_nearest(shop):
    with pytest.raises(UsageError, match="region"):
        distinguishing(shop[1], "age", ["regin"])


def test_sentences_in_both_languages(shop):
    rows = most_distinguishing(found_of(shop), "group_12m", 1)
    words = {"region": {"north": "北方"}}
    english, chinese = sets_apart(rows, "group_12m").texts, sets_apart(rows, "group_12m", "zh", words).texts
    assert english[0].startswith('Best of the last 12 months: Region "north" ')
    assert chinese[0].startswith("最近 12 个月的最佳客户：地区“北方”的占比是其他客户的 ")
    assert level_words(rows, "zh", words)["level"] == {"north": "北方"}


def test_a_value_nobody_else_has():
    table = pd.DataFrame({"tier": ["gold"] * 20 + ["lead"] * 20, "shop": ["web"] * 20 + ["store"] * 20})
    rows = most_distinguishing(distinguishing(table, "tier"), "tier", 5)
    assert "only here (100.0% against 0.0%)" in sets_apart(rows, "tier").texts[0]


# ---- the best of last year


@pytest.mark.parametrize(
    ("sales", "best"),
    [
        ([5.0, 5, 5, 5], 0),
        ([9.0, 1, 1, 1], 1),
        ([9.0, 9, 9, 1], 0),
        ([9.0, 8, 7, 1], 2),
        ([3.0, 0, 0, 0], 1),
        ([0.0, 0, 0, -4], 0),
        ([7.0], 1),
        ([], 0),
    ],
)
def test_the_best_half_of_few(sales, best):
    customers = pd.DataFrame({"customer_id": [f"{i}" for i in range(len(sales))], "sales_12m": sales})
    found = best_customers(customers, SegmentationRules(best_share=0.5))
    assert (found["group_12m"] == "best").sum() == best


def test_a_tenth_of_distinct_customers(shop):
    assert (best_customers(shop[0])["group_12m"] == "best").sum() == 200


# ---- look-alikes


def test_look_alikes_are_those_of_the_north_and_say_so(shop):
    customers, attributes = shop
    best = best_customers(customers)
    found = look_alikes(customers, early_levels(customers, attributes), best)
    assert found.notes == ()
    assert 0.5 < found.auc_low < found.auc < 1
    top = found.table.head(100).merge(attributes, on="customer_id")
    assert (top["region"] == "north").all()
    assert set(found.table.head(100)["reason_1"]) == {"region=north"}
    assert len(found.table) == (best["group_12m"] == "other").sum()
    assert reason_words(found.table)["reason_1"]["region=north"] == "Region: north"


def test_likeness_is_the_share_of_such_customers_among_the_best(shop):
    customers, attributes = shop
    best = best_customers(customers)
    found = look_alikes(customers, early_levels(customers, attributes[["customer_id", "region"]]), best)
    table = customers.merge(best, on="customer_id").merge(attributes, on="customer_id")
    year = table[table["tenure_days"] >= 365]
    share = (year["group_12m"] == "best").groupby(year["region"]).mean()
    said = found.table.merge(attributes, on="customer_id").groupby("region")["likeness"].first()
    assert said.to_dict() == pytest.approx(share.to_dict(), abs=0.015)


def test_where_nothing_is_shared_no_list_is_offered(shop):
    customers, attributes = shop
    rng, offered = np.random.default_rng(3), 0
    for _ in range(10):
        noise = customers.assign(sales_12m=rng.lognormal(4, 1, len(customers)))
        found = look_alikes(noise, early_levels(noise, attributes), best_customers(noise))
        offered += found.notes == ()
        assert found.table.empty == (found.notes == ("nothing_shared",))
    assert offered <= 1


def test_thin_data_give_the_reason_and_no_list(shop):
    customers, attributes = shop
    few = customers.head(150)
    assert look_alikes(few, early_levels(few, attributes), best_customers(few)).notes == ("few_best",)
    assert look_alikes(customers, early_levels(customers), best_customers(customers)).notes == ("no_attributes",)
    nobody = customers.head(0)
    assert look_alikes(nobody, early_levels(nobody), best_customers(nobody)).notes == ("few_best",)


def test_unknown_attributes_of_some_are_no_reason(shop):
    customers, attributes = shop
    half = early_levels(customers, attributes.head(1000))
    found = look_alikes(customers, half, best_customers(customers))
    unknown = found.table[found.table["customer_id"] >= "01000"]
    assert unknown["reason_1"].isna().all()
    assert unknown["likeness"].nunique() == 1


def test_the_order_of_the_rows_does_not_matter(shop):
    customers, attributes = shop
    mixed = customers.sample(frac=1, random_state=1)
    one, other = (look_alikes(t, early_levels(t, attributes), best_customers(t)) for t in (customers, mixed))
    assert one.table["customer_id"].tolist() == other.table["customer_id"].tolist()
    assert one.auc == other.auc


def test_input_is_left_as_it_was(shop):
    before = shop[0].copy(), shop[1].copy()
    found_of(shop)
    pd.testing.assert_frame_equal(shop[0], before[0])
    pd.testing.assert_frame_equal(shop[1], before[1])


# ---- the first basket


def test_first_baskets_know_nothing_of_later_days_and_of_returned_orders():
    rows = pd.DataFrame(
        {
            "customer_id": ["a", "a", "a", "b", "b", "b"],
            "order_id": ["1", "1", "2", "3", "3", "4"],
            "order_date": ["2024-01-05", "2024-01-05", "2024-02-01", "2024-01-07", "2024-01-08", "2024-03-31"],
            "amount": [10, 20, 900, 50, -50, 70],
            "category": ["tea", "silk", "tea", "tea", "tea", "silk"],
            "channel": ["web", "web", "shop", "shop", "shop", "web"],
        }
    )
    table = first_baskets(read(rows)).set_index("customer_id")
    assert table.loc["a", ["first_amount", "first_category", "first_channel"]].tolist() == [30.0, "silk", "web"]
    assert table.loc["b", ["first_amount", "first_category"]].tolist() == [70.0, "silk"]


def test_first_baskets_of_the_sample_follow_from_the_customer_table(sample_orders, sample_customers):
    table = sample_customers.merge(first_baskets(sample_orders), on="customer_id", validate="one_to_one")
    bought = table["mean_order_value"] * table["n_orders"] - table["repeat_sales"]
    assert (bought - table["first_amount"]).abs().max() < 1e-6


def test_on_the_sample_the_true_ways_in_are_found(sample, sample_orders, sample_customers):
    """By construction valuable customers came through other customers more often, and spend keeps its level."""
    levels = early_levels(sample_customers, read_attributes(sample), first_baskets(sample_orders))
    found = look_alikes(sample_customers, levels, best_customers(sample_customers))
    top = found.weights.nlargest(2, "weight")
    assert set(zip(top["attribute"], top["level"], strict=True)) == {
        ("acquisition_channel", "referral"),
        ("first_amount", "high"),
    }

"""Clusters: the choice of their number, the kept centres, names that stay from month to month."""

import numpy as np
import pandas as pd
import pytest

from custvalue.beside import read_clusters
from custvalue.errors import DataError
from custvalue.groupwords import cluster_words
from custvalue.segmentation import (
    CLUSTER_FEATURES,
    SegmentationRules,
    assign_clusters,
    chosen_number,
    cluster_agreement,
    cluster_centres,
    cluster_customers,
    cluster_evidence,
    cluster_model,
    cluster_notes,
    kept_model,
    match_clusters,
)
from custvalue.tables import save

FOUR = SegmentationRules(clusters=4)


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


def clouds(spread=0.1, n=60, seed=0):
    """Three kinds of customers: gone, occasional, regular; ``cloud`` says which, "1" with the highest sales."""
    rng = np.random.default_rng(seed)
    centres = [(300, 1, 10), (100, 5, 100), (5, 40, 2000)]
    parts = [
        pd.DataFrame(
            {name: value * rng.lognormal(0, spread, n) for name, value in zip(CLUSTER_FEATURES, centre, strict=True)}
        ).assign(cloud=number)
        for number, centre in zip("321", centres, strict=True)
    ]
    table = pd.concat(parts, ignore_index=True)
    return table.assign(customer_id=[f"{i:03d}" for i in rng.permutation(len(table))])


def one_cloud(n=600, seed=0):
    """Customers without kinds: the logarithms are normal, sales follow orders."""
    normal = np.random.default_rng(seed).normal(size=(n, 3))
    columns = {"days_since_last": np.exp(4 + normal[:, 0]), "n_orders": np.exp(2 + normal[:, 1] / 2)}
    table = pd.DataFrame(columns).assign(sales=np.exp(5 + normal[:, 1] + normal[:, 2]))
    return table.assign(customer_id=[f"{i:04d}" for i in range(n)])


def test_three_clouds_are_found_without_being_told_and_numbered_by_sales():
    table = clouds()
    evidence = cluster_evidence(table)
    assert chosen_number(evidence) == 3
    assert cluster_notes(evidence) == ()
    row = evidence[evidence["chosen"]].iloc[0]
    assert row["silhouette"] > 0.8 > row["silhouette_chance"]
    assert row["stability"] == pytest.approx(1)
    assert row["smallest_share"] == pytest.approx(1 / 3)
    result = cluster_customers(table)
    assert (result["cluster"].astype(str) == table["cloud"]).all()


@pytest.mark.parametrize("seed", [0, 1])
def test_data_without_clusters_are_said_to_have_none(seed):
    assert cluster_notes(cluster_evidence(one_cloud(seed=seed))) in {("not_clear",), ("none",)}


def test_where_nothing_is_stable_enough_there_is_one_cluster():
    table, rules = one_cloud(), SegmentationRules(cluster_stability=1.0)
    evidence = cluster_evidence(table, rules)
    assert not evidence["chosen"].any()
    assert cluster_notes(evidence) == ("none",)
    assert set(cluster_customers(table, rules)["cluster"]) == {"1"}


def test_a_tiny_cluster_is_not_chosen():
    table = clouds(n=100)
    few = pd.concat([table[table["cloud"] != "1"], table[table["cloud"] == "1"].head(3)])
    evidence = cluster_evidence(few).set_index("n_clusters")
    assert evidence.loc[3, "smallest_share"] < 0.02
    assert not evidence.loc[3, "chosen"]
    assert cluster_evidence(few, SegmentationRules(smallest_cluster=0.0)).set_index("n_clusters").loc[3, "chosen"]


@pytest.mark.parametrize(("n", "tried"), [(0, []), (1, []), (3, []), (19, []), (20, [2]), (50, [2, 3, 4, 5])])
def test_few_customers_allow_few_clusters(n, tried):
    evidence = cluster_evidence(one_cloud(n))
    assert evidence["n_clusters"].tolist() == tried
    assert (cluster_notes(evidence) == ("few",)) == (n < 20)


def test_equal_customers_are_one_cluster_and_nothing_is_tried():
    same = one_cloud(50).assign(days_since_last=1, n_orders=1, sales=9.0)
    assert cluster_evidence(same).empty
    assert cluster_customers(same)["cluster"].tolist() == ["1"] * 50
    model = cluster_model(same)
    assert model["centre"].tolist() == pytest.approx([0, 0, 0])
    assert cluster_centres(same, assign_clusters(same, model), model)["traits"].tolist() == ["middling"]


def test_evidence_and_clusters_depend_on_neither_the_run_nor_the_order_of_the_rows(shoppers):
    shuffled = shoppers.sample(frac=1, random_state=4)
    pd.testing.assert_frame_equal(cluster_evidence(shoppers), cluster_evidence(shuffled))
    first = cluster_customers(shoppers, FOUR).set_index("customer_id")["cluster"]
    again = cluster_customers(shuffled, FOUR).set_index("customer_id")["cluster"]
    assert first.equals(again.reindex(first.index))


def test_the_input_is_left_as_it_was(shoppers):
    before = shoppers.copy()
    model = cluster_model(shoppers, FOUR)
    kept = model.copy()
    cluster_centres(shoppers, assign_clusters(shoppers, model), model)
    match_clusters(model, model)
    pd.testing.assert_frame_equal(shoppers, before)
    pd.testing.assert_frame_equal(model, kept)


def test_fewer_distinct_customers_than_clusters_give_fewer_clusters(shoppers):
    two = shoppers.head(6).assign(days_since_last=1, n_orders=1, sales=[1.0, 9.0, 1.0, 9.0, 1.0, 9.0])
    assert cluster_customers(two, FOUR)["cluster"].tolist() == ["2", "1"] * 3


def test_no_customers_have_no_clusters(shoppers):
    assert cluster_model(shoppers.head(0)).empty
    assert cluster_customers(shoppers.head(0)).empty


def test_only_a_sample_is_fitted_and_everybody_is_assigned(shoppers, monkeypatch):
    monkeypatch.setattr("custvalue.segmentation.clusters.CLUSTER_SAMPLE", 50)
    clusters = cluster_customers(shoppers, FOUR)
    assert len(clusters) == len(shoppers)
    assert clusters["cluster"].notna().all()


def test_centres_are_medians_and_sales_fall_from_cluster_to_cluster(shoppers):
    model = cluster_model(shoppers, FOUR)
    clusters = assign_clusters(shoppers, model)
    centres = cluster_centres(shoppers, clusters, model).set_index("cluster")
    members = shoppers[clusters["cluster"] == "2"]
    assert centres.loc["2", "n_customers"] == len(members)
    assert centres.loc["2", "sales"] == members["sales"].median()
    assert centres["share_customers"].sum() == pytest.approx(1)
    means = shoppers["sales"].groupby(clusters["cluster"], observed=True).mean()
    assert means.is_monotonic_decreasing


def test_the_centre_is_the_mean_of_its_members_in_standard_deviations(shoppers):
    model = cluster_model(shoppers, FOUR)
    members = shoppers[assign_clusters(shoppers, model)["cluster"] == "3"]
    row = model[(model["cluster"] == "3") & (model["feature"] == "n_orders")].iloc[0]
    logs = np.log1p(shoppers["n_orders"])
    assert (row["mean"], row["spread"]) == pytest.approx((logs.mean(), logs.std(ddof=0)))
    assert row["centre"] == pytest.approx((np.log1p(members["n_orders"]).mean() - row["mean"]) / row["spread"])


def test_names_say_what_sets_each_cloud_apart():
    table = clouds()
    model = cluster_model(table)
    centres = cluster_centres(table, assign_clusters(table, model), model)
    assert centres["traits"].tolist()[0] == "recent frequent high_spend"
    assert centres["traits"].tolist()[2] == "silent seldom low_spend"
    assert cluster_words(centres, "zh")["1"] == "1 · 近期来过、购买频繁、消费高"


def test_kept_centres_survive_a_file_and_assign_the_same(shoppers, tmp_path):
    model = cluster_model(shoppers, FOUR)
    model.to_csv(tmp_path / "clusters.csv", index=False)
    kept = kept_model(pd.read_csv(tmp_path / "clusters.csv", dtype=str))
    assert assign_clusters(shoppers, kept).equals(assign_clusters(shoppers, model))


def test_with_kept_centres_only_who_changes_moves():
    before = clouds()
    model = cluster_model(before)
    now = pd.concat([before, before.assign(customer_id=before["customer_id"] + "x", sales=before["sales"] * 1.2)])
    now = now.assign(days_since_last=now["days_since_last"].where(now["customer_id"] != "007", 300))
    first, later = (assign_clusters(t, model).set_index("customer_id")["cluster"] for t in (before, now))
    moved = first[first != later.reindex(first.index)].index.tolist()
    assert set(moved) <= {"007"}


def test_numbers_are_found_again_after_a_new_fit_on_grown_data():
    before, now = clouds(seed=1), clouds(seed=2)
    swapped = cluster_model(before).assign(cluster=lambda t: t["cluster"].map({"1": "7", "2": "3", "3": "1"}))
    later = now.assign(sales=now["sales"] * 1.3, n_orders=now["n_orders"] * 1.2)
    matched = match_clusters(swapped, cluster_model(later))
    found = assign_clusters(later, matched)["cluster"].astype(str)
    assert (found == later["cloud"].map({"1": "7", "2": "3", "3": "1"})).all()
    assert list(dict.fromkeys(matched["cluster"])) == ["1", "3", "7"]


def test_a_cluster_without_a_partner_has_a_new_number_and_a_lost_one_is_not_given_again():
    table = clouds()
    two, three = (cluster_model(table, SegmentationRules(clusters=k)) for k in (2, 3))
    more, fewer = match_clusters(two, three), match_clusters(three, two)
    assert sorted(set(more["cluster"])) == ["1", "2", "3"]
    assert set(fewer["cluster"]) < {"1", "2", "3"}


def test_agreement_of_groupings():
    one = cluster_customers(clouds())
    assert cluster_agreement(one, one) == 1
    by_chance = one.assign(cluster=np.random.default_rng(1).permutation(one["cluster"].astype(str)))
    assert abs(cluster_agreement(one, by_chance)) < 0.05
    assert np.isnan(cluster_agreement(one, one.assign(customer_id="nobody")))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="spread"), r"lacks spread and has cluster"),
        (lambda t: t.head(0), r"lacks rows"),
        (lambda t: t.head(5), r'cluster "2" does not have a number for each of days_since_last, n_orders, sales'),
        (lambda t: t.assign(spread="0"), r"spread \(above 0\)"),
        (lambda t: t.assign(centre="far"), r'cluster "1" does not'),
        (lambda t: t.assign(cluster="best"), r'cluster "best" does not'),
        (lambda t: t.assign(feature="margin"), r'cluster "1" does not'),
    ],
)
def test_a_damaged_file_of_centres_is_refused(change, message):
    model = cluster_model(clouds())
    with pytest.raises(DataError, match=message):
        kept_model(change(model.astype(str)))


def test_kept_centres_are_found_in_the_data_folder(tmp_path):
    model = cluster_model(clouds())
    save(model, tmp_path, "clusters")
    pd.testing.assert_frame_equal(read_clusters(tmp_path), model)
    (tmp_path / "clusters.csv").write_text("cluster,feature\n1,sales\n", "utf-8")
    with pytest.raises(DataError, match=r"clusters\.csv holds no kept clusters: it lacks mean, spread, centre"):
        read_clusters(tmp_path)

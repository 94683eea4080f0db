"""Referral value over the referrer network: chains, loops, strangers, and the sample."""

import numpy as np
import pandas as pd
import pytest

from custvalue.beside import read_attributes
from custvalue.customers import customer_table
from custvalue.errors import DataError, UsageError
from custvalue.labels import LANGUAGES
from custvalue.pipeline import read
from custvalue.referrals import customer_ids, referral_value
from custvalue.tables import notes


def shop(n, value=1.0):
    return pd.DataFrame({"customer_id": [f"{i:06d}" for i in range(n)], "sales": value})


def brought_by(pairs):
    return pd.DataFrame(pairs, columns=["customer_id", "referrer"])


def test_value_is_the_customers_own_and_that_of_all_brought():
    links = brought_by([("000001", "000000"), ("000002", "000000"), ("000003", "000001")])
    table = referral_value(shop(5, [1.0, 10.0, 100.0, 1000.0, 7.0]), links).table
    assert table["network_value"].tolist() == [1111, 1010, 100, 1000, 7]
    assert table["n_brought"].tolist() == [2, 1, 0, 0, 0]
    assert table["n_network"].tolist() == [3, 1, 0, 0, 0]
    assert (table["own_value"] + table["brought_value"]).tolist() == table["network_value"].tolist()


def test_each_generation_counts_by_the_share():
    links = brought_by([("000001", "000000"), ("000002", "000001"), ("000003", "000002")])
    table = referral_value(shop(4), links, share=0.5).table
    assert table["network_value"].tolist() == [1.875, 1.75, 1.5, 1.0]
    assert table["n_network"].tolist() == [3, 2, 1, 0]
    assert (referral_value(shop(4), links, share=0).table["brought_value"] == 0).all()


def test_a_chain_of_100_000_customers():
    n = 100_000
    ids = shop(n)["customer_id"]
    links = pd.DataFrame({"customer_id": ids[1:].to_numpy(), "referrer": ids[:-1].to_numpy()})
    table = referral_value(shop(n), links.sample(frac=1, random_state=1)).table
    assert table["network_value"].tolist() == list(range(n, 0, -1))
    halved = referral_value(shop(n), links, share=0.5).table
    assert halved["network_value"].iloc[0] == pytest.approx(2.0)


def test_the_network_value_solves_its_equation_on_a_random_forest():
    rng = np.random.default_rng(4)
    n, share = 300, 0.7
    customers = shop(n, rng.normal(50, 30, n))
    parent = [rng.integers(0, i) if i and rng.random() < 0.6 else -1 for i in range(n)]
    links = brought_by(
        [(customers["customer_id"][i], customers["customer_id"][p]) for i, p in enumerate(parent) if p >= 0]
    )
    system = np.eye(n)
    for child, above in enumerate(parent):
        if above >= 0:
            system[above, child] -= share
    expected = np.linalg.solve(system, customers["sales"])
    np.testing.assert_allclose(referral_value(customers, links, share=share).table["network_value"], expected)


def test_loops_are_cut_and_reported_and_their_branches_still_count():
    circle = [
        ("000000", "000001"),
        ("000001", "000002"),
        ("000002", "000000"),
        ("000003", "000003"),
        ("000004", "000000"),
    ]
    found = referral_value(shop(5), brought_by(circle))
    assert found.loops["customer_id"].tolist() == ["000000", "000001", "000002", "000003"]
    assert found.loops["referrer"].tolist() == ["000001", "000002", "000000", "000003"]
    assert found.table["network_value"].tolist() == [2.0, 1.0, 1.0, 1.0, 1.0]
    assert found.notes == ("loops:4",)
    assert (found.totals["n"], found.totals["by"]) == (1, 1)
    assert "circle" in str(notes("referrals", found.notes))


def test_referrers_who_are_no_customers_are_counted_and_left_out():
    found = referral_value(shop(3), brought_by([("000001", "stranger"), ("000002", "000000"), ("nobody", "000000")]))
    assert found.notes == ("unknown:1",)
    assert found.table["network_value"].tolist() == [2.0, 1.0, 1.0]
    assert found.totals == {"n": 1, "share": 1 / 3, "by": 1, "value": 1.0, "share_value": 1 / 3}


@pytest.mark.parametrize(
    "attributes", [None, pd.DataFrame({"customer_id": ["000000"]}), brought_by([("000000", None)])]
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_without_any_referrer_the_network_is_the_customer_and_the_page_says_so(attributes, language):
    found = referral_value(shop(2), attributes)
    assert found.notes == ("none",)
    assert (found.table["brought_value"] == 0).all()
    assert "referrer" in str(notes("referrals", found.notes, language))


def test_missing_values_count_zero_and_negative_ones_as_they_are():
    customers = shop(3, [np.nan, -5.0, 2.0])
    links = brought_by([("000001", "000000"), ("000002", "000000")])
    assert referral_value(customers, links).table["network_value"].tolist() == [-3.0, -5.0, 2.0]


def test_nobody_at_all():
    found = referral_value(shop(0), brought_by([]))
    assert found.table.empty
    assert found.totals["n"] == 0


def test_wrong_shares_and_customers_twice_are_refused():
    with pytest.raises(UsageError, match=r'"referral_share" is 2.*0\.\.1'):
        referral_value(shop(1), None, share=2)
    with pytest.raises(DataError, match=r"1 customers more than once, for example \"000001\""):
        referral_value(shop(2), brought_by([("000001", "000000"), ("000001", None)]))


def test_the_input_is_left_alone():
    customers, links = shop(3), brought_by([("000001", "000000")])
    before = customers.copy(), links.copy()
    referral_value(customers, links)
    pd.testing.assert_frame_equal(customers, before[0])
    pd.testing.assert_frame_equal(links, before[1])


def test_ids_read_as_numbers_or_with_blanks_are_still_ids():
    assert customer_ids(pd.Series([1.0, np.nan])).tolist() == ["1", None]
    links = pd.DataFrame({"customer_id": ["2", "3"], "referrer": [1.0, np.nan]})
    customers = pd.DataFrame({"customer_id": ["1", "2", "3"], "sales": 1.0})
    assert referral_value(customers, links).table["n_brought"].tolist() == [1, 0, 0]


def test_leading_zeros_of_referrers_survive_reading(tmp_path, rows):
    rows.to_csv(tmp_path / "orders.csv", index=False)
    (tmp_path / "customers.csv").write_text("customer_id,referrer\n01,\n02,01\n03,01\n", "utf-8")
    customers = customer_table(read(tmp_path))
    found = referral_value(customers, read_attributes(tmp_path))
    assert found.table["n_brought"].tolist() == [2, 0, 0]
    assert found.notes == ()


def test_the_sample(sample):
    customers, attributes = customer_table(read(sample)), read_attributes(sample)
    found = referral_value(customers, attributes)
    named = attributes.loc[attributes["customer_id"].isin(customers["customer_id"]), "referrer"].dropna()
    known = named.isin(customers["customer_id"])  # the others bought nothing that they kept
    assert found.notes == (f"unknown:{(~known).sum()}",) == ("unknown:7",)
    assert found.totals["n"] == found.table["n_brought"].sum() == known.sum()
    roots = found.table[~found.table["referrer"].isin(customers["customer_id"])]
    assert roots["network_value"].sum() == pytest.approx(customers["sales"].sum())

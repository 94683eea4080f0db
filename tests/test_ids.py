"""Ids as numbers: the same answers as pandas gives with text, whatever the column is made of."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from custvalue.beside import event_rows, read_events
from custvalue.config import load_settings
from custvalue.crosssell import co_purchases
from custvalue.customers import customer_table
from custvalue.engagement import browsing_segments, changed_by_chance, e_parts, e_value, viewed_not_bought
from custvalue.ids import begins, joined, named, numbered, places
from custvalue.indices import aligned
from custvalue.pipeline import read
from custvalue.referrals import customer_ids

IDS = pd.Series([f"C{number}" for number in range(300)], dtype="str")
MIXED = pd.Series(np.random.default_rng(3).choice([*IDS, "stranger", None], 900), dtype="object")


@pytest.mark.parametrize("kind", ["str", "object", "category"])
@pytest.mark.parametrize("of", ["str", "object"])
def test_places_are_those_of_the_ids(kind, of):
    found = places(MIXED.astype(kind), IDS.astype(of))
    row = {name: number for number, name in enumerate(IDS)}
    assert found.tolist() == [row.get(name, -1) for name in MIXED]


def test_a_search_is_remembered_only_for_the_same_text():
    ids = pd.Series([f"c{number:05}" for number in range(10_000)], dtype="str")
    values = ids[::-1].reset_index(drop=True)
    first = places(values, ids)
    assert first.tolist() == list(range(10_000))[::-1]
    first[:] = 7
    assert places(values, ids)[0] == 9_999
    assert (places(values.str.upper(), ids) == -1).all()  # may share its offsets with the values
    values[0] = "c00000"
    assert places(values, ids)[:2].tolist() == [0, 9_998]


def test_a_number_is_not_the_text_of_it():
    assert places(pd.Series([17, "17"], dtype="object"), pd.Series(["17"], dtype="str")).tolist() == [-1, 0]
    assert places(pd.Series([2, 9]), pd.Series([9, 2])).tolist() == [1, 0]


@pytest.mark.parametrize("kind", ["str", "object", "category"])
@pytest.mark.parametrize("in_order", [True, False])
@pytest.mark.parametrize("known", [None, IDS[:5]])
def test_every_id_gets_its_own_number(kind, in_order, known):
    ids = MIXED.dropna()
    ids = (ids.sort_values() if in_order else ids).astype(kind)
    numbers, names = numbered(ids, known)
    assert names.iloc[numbers].tolist() == ids.tolist()
    assert names.is_unique
    first = [] if known is None else known.tolist()
    assert names.tolist() == [*first, *(name for name in dict.fromkeys(ids) if name not in first)]


def test_a_missing_id_has_no_number():
    assert numbered(MIXED.astype("str"))[0][MIXED.isna()].tolist() == [-1] * MIXED.isna().sum()
    assert numbered(pd.Series([], dtype="str"), IDS)[1].tolist() == IDS.tolist()
    assert begins(np.empty(0, dtype="int64")).size == 0
    assert named(np.array([-1]), pd.Index([], dtype="str")).isna().all()


@pytest.mark.parametrize("seed", [None, 1])
def test_joined_is_the_merge_of_customers(seed):
    table = pd.DataFrame({"customer_id": IDS, "sales": np.arange(300.0)})
    other = pd.DataFrame({"customer_id": IDS, "code": pd.Categorical(["a", "b", "c"] * 100)})
    other = other if seed is None else other.sample(frac=0.6, random_state=seed)
    pd.testing.assert_frame_equal(joined(table, other), table.merge(other, on="customer_id"))


def test_aligned_refuses_a_stranger_who_is_there_twice():
    attributes = pd.DataFrame({"customer_id": ["z", "a", "z"], "age": [1, 2, 3]})
    with pytest.raises(Exception, match="z"):
        aligned(pd.DataFrame({"customer_id": ["a"]}), attributes)


def test_ids_that_were_read_as_numbers_are_text_again():
    given = pd.Series(["17.0", " 8.00", "1.50", "x.0", "10", 3.0, None, ""], dtype="object")
    assert customer_ids(given).tolist() == ["17", "8", "1.50", "x.0", "10", "3", None, None]


def test_events_as_categoricals_give_the_same_tables(sample):
    settings = load_settings(data=sample)
    orders = read(sample, settings)
    plain, coded = read_events(sample, settings, orders).table, event_rows(sample, settings, orders)
    customers, day = customer_table(orders), orders.as_of
    assert isinstance(coded["customer_id"].dtype, pd.CategoricalDtype)
    none = pd.DataFrame({"customer_id": [], "category": [], "last_bought": []}).astype({"last_bought": "datetime64[s]"})
    for table in (
        lambda events: browsing_segments(events, day, customers=customers),
        lambda events: browsing_segments(events, day),
        lambda events: viewed_not_bought(events, none, day),
        lambda events: e_value(events, day, customers=customers),
        lambda events: e_parts(events, day),
    ):
        pd.testing.assert_frame_equal(table(coded), table(plain))
    assert changed_by_chance(coded, day) == changed_by_chance(plain, day)


def test_co_purchases_do_not_depend_on_the_order_of_the_rows():
    rng = np.random.default_rng(5)
    owned = rng.random((300, 11)) < 0.3
    who, what = np.nonzero(owned)
    bought = pd.DataFrame({"customer_id": IDS.take(who).array, "category": [f"k{i:02}" for i in what]})
    pairs = co_purchases(bought)
    first = pairs.set_index(["category", "other_category"])["n_both"]
    assert all(first[f"k{a:02}", f"k{b:02}"] == (owned[:, a] & owned[:, b]).sum() for a in range(11) for b in range(a))
    again = co_purchases(pd.concat([bought, bought.head(40)]).sample(frac=1, random_state=2))
    pd.testing.assert_frame_equal(pairs, again, rtol=1e-9)

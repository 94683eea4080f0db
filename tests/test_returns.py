"""Returns: matched with the purchase that came back, cancelled orders, and what was known on which day."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from custvalue.customers import customer_table
from custvalue.errors import DataError, UsageError
from custvalue.returns import counted
from custvalue.sources import read_source
from custvalue.transactions import CleanRules, clean

NAMES = ["customer_id", "order_id", "order_date", "product", "amount"]


def orders_of(*rows, rules=None):
    return clean(read_source(pd.DataFrame(rows, columns=NAMES)), rules)


def meaning(orders):
    """Of each row: the day it counts on if another one, and the day its order was cancelled."""
    table = orders.table.order_by("row_number").execute()
    return [
        tuple(None if pd.isna(day) else str(day)[:10] for day in row)
        for row in table[["counts_on", "cancelled_on"]].itertuples(index=False)
    ]


NOT = (None, None)


def test_a_part_that_came_back_counts_on_the_day_of_the_order():
    orders = orders_of(("1", "a", "2024-01-05", "x", 30), ("1", "c", "2024-02-01", "x", -10))
    assert meaning(orders) == [NOT, ("2024-01-05", None)]
    one = customer_table(orders).iloc[0]
    assert (one["n_orders"], one["sales"], one["returns"]) == (1, 20, 10)


def test_an_order_that_came_back_as_a_whole_is_no_purchase():
    orders = orders_of(
        ("1", "a", "2024-01-05", "x", 30),
        ("1", "a", "2024-01-05", "y", 5),
        ("1", "b", "2024-01-20", "x", 7),
        ("1", "c1", "2024-02-01", "x", -30),
        ("1", "c2", "2024-02-03", "y", -5),
    )
    gone = (None, "2024-02-03")
    back = ("2024-01-05", "2024-02-03")
    assert meaning(orders) == [gone, gone, NOT, back, back]
    one = customer_table(orders).iloc[0]
    assert (one["n_orders"], one["sales"], one["n_returns"]) == (1, 7, 0)
    assert str(one["first_order"])[:10] == "2024-01-20"
    assert (orders.facts["orders_cancelled"], orders.facts["returns_matched"]) == (1, 2)
    assert orders.notes == ("orders_cancelled:1", "returns_matched:2")


def test_a_day_before_the_return_does_not_know_of_it():
    orders = orders_of(
        ("1", "a", "2024-01-05", "x", 30), ("1", "c", "2024-02-01", "x", -30), ("2", "b", "2024-02-09", "x", 1)
    )
    before = customer_table(orders, dt.date(2024, 1, 31))
    assert (before["n_orders"].tolist(), before["sales"].tolist()) == ([1], [30])
    assert customer_table(orders)["customer_id"].tolist() == ["2"]


def test_a_return_without_an_order_counts_on_its_own_day():
    orders = orders_of(
        ("1", "a", "2024-01-05", "x", 30),
        ("1", "c", "2024-02-01", "y", -10),
        ("2", "d", "2024-02-01", "x", -30),
        ("1", "e", "2024-02-02", "x", -31),
    )
    assert meaning(orders) == [NOT, NOT, NOT, NOT]
    assert orders.facts["returns_unmatched"] == 3
    assert customer_table(orders)["sales"].tolist() == [-11]


def test_a_return_before_the_purchase_is_not_of_it():
    orders = orders_of(("1", "c", "2024-01-01", "x", -30), ("1", "a", "2024-01-05", "x", 30))
    assert meaning(orders) == [NOT, NOT]


def test_of_two_equal_purchases_the_later_came_back_first():
    one, two = ("1", "a", "2024-01-05", "x", 30), ("1", "b", "2024-01-09", "x", 30)
    first, second = ("1", "c", "2024-02-01", "x", -30), ("1", "d", "2024-02-08", "x", -30)
    assert meaning(orders_of(one, two, first)) == [NOT, (None, "2024-02-01"), ("2024-01-09", "2024-02-01")]
    assert meaning(orders_of(one, two, first, second, ("1", "e", "2024-03-01", "z", 1)))[2:4] == [
        ("2024-01-09", "2024-02-01"),
        ("2024-01-05", "2024-02-08"),
    ]
    third = ("1", "f", "2024-02-09", "x", -30)
    assert meaning(orders_of(one, two, first, second, third, ("1", "e", "2024-03-01", "z", 1)))[4] == NOT


def test_bought_returned_and_bought_again():
    orders = orders_of(
        ("1", "a", "2024-01-05", "x", 30), ("1", "c", "2024-01-06", "x", -30), ("1", "b", "2024-01-09", "x", 30)
    )
    assert meaning(orders) == [(None, "2024-01-06"), ("2024-01-05", "2024-01-06"), NOT]


def test_the_same_order_number_goes_before_equal_goods():
    orders = orders_of(
        ("1", "a", "2024-01-05", "x", 30), ("1", "b", "2024-01-09", "x", 30), ("1", "a", "2024-02-01", "x", -30)
    )
    assert meaning(orders) == [(None, "2024-02-01"), NOT, ("2024-01-05", "2024-02-01")]


def test_same_day_and_without_order_numbers():
    frame = pd.DataFrame(
        {
            "customer_id": ["1", "1", "1", "2"],
            "date": ["2024-01-05", "2024-01-05", "2024-01-07", "2024-01-07"],
            "amount": [30, -30, 8, 9],
        }
    )
    orders = clean(read_source(frame))
    assert meaning(orders)[:2] == [(None, "2024-01-05"), ("2024-01-05", "2024-01-05")]
    assert customer_table(orders)["sales"].tolist() == [8, 9]


def test_keep_lets_every_row_count_on_its_own_day():
    rows = (("1", "a", "2024-01-05", "x", 30), ("1", "c", "2024-02-01", "x", -30))
    kept = orders_of(*rows, rules=CleanRules(cancelled_orders="keep"))
    assert meaning(kept) == [NOT, NOT]
    assert customer_table(kept)[["n_orders", "sales"]].to_numpy().tolist() == [[1, 0]]
    with pytest.raises(UsageError, match="net, keep"):
        CleanRules(cancelled_orders="maybe")


def test_rows_and_money_are_those_of_the_file(rows):
    orders = clean(read_source(rows))
    assert float(orders.table.amount.sum().execute()) == orders.facts["money_accepted"] == 62.5
    assert counted(orders.table, orders.as_of).amount.sum().execute() == 62.5


def test_a_file_of_returned_orders_only_is_refused(tmp_path):
    lines = ["customer_id,order_date,order_id,product,amount", "1,2024-01-05,A1,x,10", "1,2024-01-09,A1,x,-10"]
    path = tmp_path / "orders.csv"
    path.write_text("\n".join(lines), "utf-8")
    with pytest.raises(DataError, match=r"every order came back as a whole .1 order.*cancelled_orders"):
        clean(read_source(path))
    assert len(customer_table(clean(read_source(path), CleanRules(cancelled_orders="keep")))) == 1

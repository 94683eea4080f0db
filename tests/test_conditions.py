"""Conditions: what they mean, and that nothing but a plain condition is ever read."""

from __future__ import annotations

import random
import string

import pandas as pd
import pytest

from custvalue.conditions import matching, read_condition, read_order, sorted_by
from custvalue.errors import UsageError

TIERS = ("platinum", "gold", "iron", "lead")


@pytest.fixture
def table():
    return pd.DataFrame(
        {
            "customer_id": list("abcde"),
            "tier": pd.Categorical(["gold", "lead", None, "platinum", "gold"], TIERS, ordered=True),
            "next_tier": pd.Categorical(["platinum", "iron", "gold", None, "gold"], TIERS[:3], ordered=True),
            "sales": [10.0, None, 30.0, 40.0, 50.0],
            "sales_12m": [20.0, 5.0, None, 40.0, 1.0],
            "n_orders": [1, 2, 3, 4, 5],
            "region": ["east", "west", None, "north east", "东部"],
            "last_order": pd.to_datetime(["2024-01-01", "2024-02-29", None, "2025-01-01", "2025-12-31"]),
            "birthday": ["2024-02-29", "1990-01-01", "unknown", None, "2001-05-05"],
            "vip": pd.array([True, False, None, True, False], dtype="boolean"),
            "shoe size": [36, 40, 41, 42, 43],
        }
    )


@pytest.mark.parametrize(
    ("condition", "who"),
    [
        ("sales > 30", "de"),
        ("sales >= 30.0", "cde"),
        ("sales <> 30 and sales < 45", "ad"),
        ("n_orders == 2", "b"),
        ("n_orders in (1, 5)", "ae"),
        ("n_orders not in (1, 5)", "bcd"),
        ("n_orders between 2 and 4", "bcd"),
        ("n_orders not between 2 and 4", "ae"),
        ("tier = 'gold'", "ae"),
        ('tier in ("gold", "platinum")', "ade"),
        ("tier != 'gold'", "bd"),
        ("tier is missing", "c"),
        ("tier is not missing and region = 'north east'", "d"),
        ("last_order >= 2025-01-01", "de"),
        ("last_order between 2024-01-01 and 2024-12-31", "ab"),
        ("birthday < 2000-01-01", "b"),
        ("birthday = 2024-02-29", "a"),
        ("sales_12m < sales", "e"),
        ("tier = next_tier", "e"),
        ("tier != next_tier", "ab"),
        ("region = '东部'", "e"),
        ("vip = true", "ad"),
        ("not vip = true", "be"),
        ("`shoe size` > 41", "de"),
        ("n_orders = 1 or n_orders = 2 and tier = 'gold'", "a"),
        ("(n_orders = 1 or n_orders = 5) and not (region = 'east')", "e"),
        ("NOT n_orders > 1 OR n_orders > 4", "ae"),
        ("sales > -1", "acde"),
    ],
)
def test_what_a_condition_means(table, condition, who):
    assert "".join(table["customer_id"][matching(table, condition)]) == who


def test_a_missing_value_fits_neither_a_comparison_nor_its_opposite(table):
    for test in ("sales > 20", "sales = 10", "sales in (10, 30)", "sales between 0 and 99", "sales < sales_12m"):
        fits, opposite = matching(table, test), matching(table, f"not ({test})")
        unknown = table["sales"].isna() | (table["sales_12m"].isna() if "sales_12m" in test else False)
        assert (fits | opposite).tolist() == (~unknown).tolist(), test
    assert matching(table, "sales > 20 or n_orders = 2").tolist() == [False, True, True, True, True]


def test_the_table_is_left_as_it_was(table):
    before = table.copy(deep=True)
    matching(table, "birthday < 2000-01-01 and tier = 'gold'")
    sorted_by(table, "sales desc")
    pd.testing.assert_frame_equal(table, before)


def test_no_rows(table):
    assert matching(table.head(0), "sales > 5 and tier = 'gold'").tolist() == []


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("tier = 'platinm'", 'Did you mean "platinum"\\? Allowed: platinum, gold, iron, lead'),
        ("teir = 'gold'", 'the column "teir".* Did you mean "tier"'),
        ("tier = gold", 'the column "gold".*must stand in quotes'),
        ("tier >= 'gold'", "neither larger nor smaller"),
        ("region > 'east'", "neither larger nor smaller"),
        ("vip > true", "neither larger nor smaller"),
        ("sales > '30'", 'the column "sales" holds number values'),
        ("n_orders = true", "can not be compared with True"),
        ("region = 5", 'the column "region" holds text values'),
        ("tier = 5", 'the column "tier" holds code values'),
        ("last_order > 5", 'the column "last_order" holds date values'),
        ("sales > region", "can not be compared with region \\(text\\)"),
        ("vip = 1", "holds yes or no values"),
        ("last_order > 2024-02-30", '"2024-02-30" can not be read'),
    ],
)
def test_a_condition_that_does_not_fit_the_table(table, condition, said):
    with pytest.raises(UsageError, match=said):
        matching(table, condition)


ATTACKS = [
    "",
    " ",
    "sales",
    "sales >",
    "> 5",
    "5 > sales",
    "1 = 1",
    "true",
    "sales > 5 and",
    "sales > 5 5",
    "sales > 5; import os",
    "sales > 5 # comment",
    "sales > 5 -- comment",
    "sales > 5 /* x */",
    "sales = 'a' 'b'",
    "sales in ()",
    "sales in (1,)",
    "sales in 5",
    "sales in (1, 2",
    "sales between 1",
    "sales between 1 or 2",
    "sales is 5",
    "sales is null",
    "is missing",
    "not",
    "__import__('os').system('true')",
    "sales.__class__ = 1",
    "sales.__class__.__bases__",
    "sales[0] > 1",
    "sales() > 1",
    "exec('1')",
    "eval('1') = 1",
    "open('/etc/passwd') = 1",
    "lambda: 1",
    "(lambda x: x)(1) = 1",
    "[c for c in (1,)]",
    "{1: 2}",
    "f'{sales}' = 1",
    "sales = f'{1}'",
    "sales = b'x'",
    "sales := 5",
    "sales = 9**9**9",
    "sales = 2 ** 99999999",
    "sales = 1 + 1",
    "sales = 1 - 1",
    "sales = 1e999",
    "sales = 0x10",
    "sales = 1_000",
    "sales = 99999999999999999999999999999999",
    "sales = nan",
    "sales = @limit",
    "@table > 1",
    "`sales > 1",
    "sales = 'open",
    "sales = 'a\\'b'",
    "sales = 'a\nb'",
    "sales > 1 & n_orders > 1",
    "sales > 1 && n_orders > 1",
    "sales > 1 | n_orders > 1",
    "~ sales > 1",
    "!sales",
    "sales === 1",
    "sales =! 1",
    "sales like '%'",
    "sales = (select 1)",
    "sales = 1 union select 1",
    "customer_id = '' or '1'='1'",
    "sales > 1 if n_orders else 2",
    "await sales",
    "yield",
    "sales\x00 > 1",
    "sales ＞ 5",
    "tier in （'gold'）",
    "$(id) = 1",
    "${jndi:ldap} = 1",
    "{{7*7}} = 1",
    "../../etc = 1",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_anything_but_a_plain_condition_is_refused(table, attack):
    with pytest.raises(UsageError):
        matching(table, attack)


def test_the_place_that_can_not_be_read_is_named():
    with pytest.raises(UsageError, match=r'"\*\* 9" can not be read \(character 11\)'):
        read_condition("sales = 9 ** 9")


def test_texts_are_data_even_where_they_look_like_code(table):
    hostile = "__import__('os') or 1=1; DROP TABLE"
    quoted = table.assign(region=[hostile, *table["region"][1:]])
    assert matching(quoted, f'region = "{hostile}"').tolist() == [True, False, False, False, False]


@pytest.mark.parametrize(
    "attack",
    [
        "(" * 500 + "sales > 1" + ")" * 400,
        "not " * 200 + "sales > 1",
        "sales > 1" + " or sales > 1" * 100,
        "a" * 100_000,
    ],
)
def test_deep_and_long_conditions_are_refused(attack):
    with pytest.raises(UsageError, match="too deep"):
        read_condition(attack)


def mutated(rng, pieces):
    """A good condition of which up to three pieces are replaced, put in or left out."""
    good = "sales > 5 and ( tier = 'gold' or not n_orders in ( 1 , 2 ) ) and last_order is not missing"
    words = good.split()
    for _ in range(rng.randint(1, 3)):
        place = rng.randrange(len(words))
        words[place : place + rng.randint(0, 1)] = [rng.choice(pieces)] * rng.randint(0, 1)
    return " ".join(words)


def test_whatever_is_typed_ends_in_a_condition_or_a_sentence(table):
    """Conditions with random pieces in them are read or refused by a sentence; there is never another error."""
    rng = random.Random(7)
    pieces = [
        "sales",
        "tier",
        "'gold'",
        "5",
        "2024-01-01",
        "and",
        "or",
        "not",
        "in",
        "between",
        "is",
        "missing",
        "true",
    ]
    pieces += ["\x00", "，", "\ud800", "sales_12m", *string.punctuation]
    refused = []
    for _ in range(3_000):
        try:
            matching(table, mutated(rng, pieces))
        except UsageError as error:
            refused.append(error)
    assert 1_000 < len(refused) < 2_980
    assert all(error.text(language) for error in refused for language in ("en", "zh"))


@pytest.mark.parametrize(
    "order", ["sales; drop", "sales down", "desc", "-sales", "sales.x", "f(sales)", "sales desc asc"]
)
def test_an_order_is_columns_and_directions(table, order):
    if order == "desc":
        assert read_order(order) == (("desc", True),)
        with pytest.raises(UsageError, match='the column "desc"'):
            sorted_by(table, order)
        return
    with pytest.raises(UsageError, match="can not be read at"):
        read_order(order)


def test_an_order_sorts_codes_by_rank_ties_by_customer_and_missing_last(table):
    assert "".join(sorted_by(table.iloc[::-1], "tier")["customer_id"]) == "daebc"
    assert "".join(sorted_by(table.iloc[::-1], "sales desc")["customer_id"]) == "edcab"
    assert "".join(sorted_by(table.iloc[::-1], "")["customer_id"]) == "abcde"

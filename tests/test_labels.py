"""Words and numbers as people read them."""

from __future__ import annotations

import pytest

from custvalue.errors import DataError, UsageError, nearest
from custvalue.labels import format_value, heading, text


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (0, "money", "0"),
        (0.5, "money", "0.50"),
        (99.994, "money", "99.99"),
        (1234567.8, "money", "1,234,568"),
        (-12.3, "money", "-12.30"),
        (0.0314, "share", "3.1%"),
        (-0.0001, "share", "0.0%"),
        (0.5, "change", "+50.0%"),
        (-0.02, "change", "-2.0%"),
        (10.0, "plain", "10"),
        (3.5, "plain", "3.5"),
        (99.07, "plain", "99.07"),
        (296.07, "plain", "296"),
        (0.0, "plain", "0"),
        (14.12, "tenths", "14.1"),
        (1000.0, "plain", "1,000"),
        (float("nan"), "money", "–"),
        (None, "date", "–"),
        ("x", "", "x"),
    ],
)
def test_values(value, unit, said):
    assert format_value(value, unit) == said


def test_a_sentence_without_currency_has_no_hole():
    assert "1,000." in text("findings.rows_all_used", rows=1, money=1000, currency="")
    assert "1,000。" in text("findings.rows_all_used", "zh", rows=1, money=1000, currency="")


@pytest.mark.parametrize(
    ("at_risk", "each", "said"),
    [
        (50839.4, 49.13, "50,839 CNY at risk (49 each)"),
        (50839.4, 0.83, "(0.83 each)"),
        (98.2, 49.13, "98.20 CNY at risk (49.13"),
    ],
)
def test_a_sentence_with_large_money_has_no_cents_beside_it(at_risk, each, said):
    values = {"action": "x", "n": 9, "goal": "", "currency": "CNY"}
    assert said in text("findings.first_step", at_risk=at_risk, each=each, **values)
    assert "– each" in text("findings.first_step", at_risk=at_risk, each=None, **values)


def test_values_are_never_read_as_templates():
    assert "{rows}" in text("errors.no_rows", got="{rows} {0.__class__}")
    with pytest.raises(KeyError):
        text("errors.no_rows")


def test_headings_carry_the_currency_only_with_money():
    assert heading("sales", "zh", "元") == "销售额（元）"
    assert heading("n_orders", "en", "CNY") == "Orders"


def test_errors_speak_both_languages_and_know_their_exit_code():
    error = DataError("no_rows", got="a.csv")
    assert (error.exit_code, UsageError.exit_code) == (3, 2)
    assert str(error).startswith("a.csv holds no rows")
    assert error.text("zh").startswith("a.csv 中没有数据行")


def test_nearest_is_blind_to_case():
    assert nearest("CUSTOMERID", ["amount", "customer_id"]) == "customer_id"

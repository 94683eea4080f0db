"""The settings: strict keys, types and values, each error with its remedy."""

from __future__ import annotations

import pytest

from custvalue.beside import read_attributes, read_labels
from custvalue.config import WORKSPACE_RECORD, Settings, adjusted, find_config, load_settings
from custvalue.errors import DataError, UsageError
from custvalue.pipeline import read
from custvalue.pyramid import PyramidRules


def write(tmp_path, text):
    path = tmp_path / "custvalue.toml"
    path.write_text(text, "utf-8")
    return str(path)


def test_every_section_is_read(tmp_path):
    settings = load_settings(
        write(
            tmp_path,
            """
        language = "zh"
        as_of = 2024-01-31
        margin_rate = 0.3
        [columns]
        amount = "net"
        [read]
        header = ["a", "b"]
        [pyramid]
        cuts = [0.1, 0.2, 0.5]
        by = "margin"
        """,
        )
    )
    assert (settings.language, settings.as_of, settings.columns["amount"]) == ("zh", "2024-01-31", "net")
    assert settings.read.header == ("a", "b")
    assert settings.pyramid == PyramidRules(by="margin", cuts=(0.1, 0.2, 0.5))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("langauge = 'en'", "unknown key langauge.*nearest valid one is language"),
        ("[pyramid]\ncut = [0.1]", r"unknown key pyramid\.cut.*nearest valid one is pyramid\.cuts"),
        ("[colums]\namount = 'x'", "unknown key colums.*columns"),
        ("[columns]\namont = 'x'", r"columns\.amont.*amount"),
        ("currency = 5", "currency is 5; it must be of type str"),
        ("[pyramid]\ncuts = 'a'", r"pyramid\.cuts is 'a'"),
        ("[lifetime]\nhorizon_months = 1.5", r"lifetime\.horizon_months"),
        ("[pyramid]\nby = true", r"pyramid\.by is True"),
        ("pyramid = 3", "pyramid is 3"),
        ("language = 'fr'", "language is fr"),
        ("as_of = '2024-02-30'", "no day of the calendar"),
        ("margin_rate = 30", "For 30% write 0.3"),
        ("[clean]\nduplicates = 'maybe'", "keep, drop"),
        ("[read]\ndate_order = 'dym'", "ymd, dmy, mdy"),
        ("language = ", "can not be read as TOML"),
    ],
)
def test_wrong_configs(tmp_path, text, message):
    with pytest.raises(UsageError, match=message):
        load_settings(write(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("\nlangauge = 'en'", 2),
        ("# x\n[pyramid]\n# by = 3\ncut = [0.1]", 4),
        ("[colums]\namount = 'x'", 1),
        ("language = 'en'\n[columns]\namont = 'x'", 3),
        ("[lifetime]\n\nhorizon_months = 1.5", 3),
        ("[churn]\n[lifetime]\n\nhorizon_months = 500", 4),
        ("\n\nmargin_rate = 30", 3),
        ("timezone = 'Mars'", 1),
        ("[pyramid]\ncuts = [0.1, 0.2, 0.5]\n[churn]\nfall = 4", 4),
        ("[matrix]\npotential_weights = {growth = 'a'}", 2),
        ("lifetime.horizon_months = 500", 1),
        ('[ "lifetime" ]\n"horizon_months" = 500', 2),
        ("pyramid = 3", 1),
    ],
)
def test_an_error_names_the_line(tmp_path, text, line):
    with pytest.raises(UsageError) as caught:
        load_settings(write(tmp_path, text))
    assert str(caught.value).startswith(f"{tmp_path / 'custvalue.toml'}, line {line}: ")
    assert caught.value.text("zh").startswith(f"{tmp_path / 'custvalue.toml'} 第 {line} 行：")


def test_the_file_is_not_blamed_for_the_command_line(tmp_path):
    with pytest.raises(UsageError, match=r"^language is fr"):
        load_settings(write(tmp_path, "language = 'en'"), language="fr")


def test_missing_config():
    with pytest.raises(UsageError, match="no config file"):
        load_settings("none.toml")


def test_given_values_win_where_they_are_not_empty(tmp_path):
    path = write(tmp_path, "language = 'zh'\ncurrency = 'CNY'")
    assert load_settings(path, language="en").language == "en"
    assert load_settings(path, language="").language == "zh"


def test_config_in_the_data_folder_or_beside_the_file_is_found(tmp_path):
    path = write(tmp_path, "currency = 'CNY'")
    assert find_config(tmp_path) == find_config(tmp_path / "orders.csv") == path
    assert load_settings(data=tmp_path).currency == "CNY"
    assert find_config(tmp_path / "deeper" / "orders.csv") == ""
    assert find_config(tmp_path, "other.toml") == "other.toml"
    assert find_config("postgres://host/shop?table=orders") == ""


def test_config_of_the_workspace_counts_for_all_data_in_it(tmp_path):
    path = write(tmp_path, "currency = 'CNY'")
    (tmp_path / WORKSPACE_RECORD).write_text("{}")
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "mine.csv").write_text("")
    assert find_config(tmp_path / "notebooks" / "mine.csv") == find_config(tmp_path / "notebooks") == path
    (tmp_path / "notebooks" / "custvalue.toml").write_text("currency = 'EUR'")
    assert load_settings(data=tmp_path / "notebooks" / "mine.csv").currency == "EUR"


def test_adjusted_checks_like_the_config():
    assert adjusted(Settings(), currency="EUR").currency == "EUR"
    with pytest.raises(UsageError, match="nearest valid one is cuts"):
        adjusted(PyramidRules(), cut=[0.1])


def test_tables_beside_the_orders(tmp_path, rows):
    rows.to_csv(tmp_path / "orders.csv", index=False)
    (tmp_path / "customers.csv").write_text("会员编号,city,spend\n01,北京,100\n01,上海,200\n007,,\n", "utf-8")
    (tmp_path / "labels.csv").write_text("column,code,en,zh\ncategory,x,Shoes,鞋\n", "utf-8")
    table = read_attributes(tmp_path).set_index("customer_id")
    assert list(table.index) == ["01", "007"]
    assert (table.loc["01", "city"], table.loc["01", "spend"]) == ("上海", 200)
    assert read_labels(tmp_path, language="zh")["main_category"] == {"x": "鞋"}
    assert read(tmp_path).facts["rows_in"] == 6
    assert read_attributes(rows) is None


def test_inputs_count_from_the_config_and_must_exist(tmp_path, rows):
    path = write(tmp_path, "[inputs]\ncustomers = 'people.csv'")
    with pytest.raises(DataError, match=r"inputs\.customers"):
        read_attributes(rows, load_settings(path))
    (tmp_path / "people.csv").write_text("customer_id,age\n1,30\n")
    assert read_attributes(rows, load_settings(path)).loc[0, "age"] == 30

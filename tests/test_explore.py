"""Explorers: the answers behind the widgets, the settings they keep, and that a run without a reader shows nothing."""

from __future__ import annotations

import subprocess
import sys
import tomllib

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from conftest import ROOT

import custvalue as cv
from custvalue.errors import UsageError
from custvalue.explore import answers, is_interactive, save_settings, settings_file
from custvalue.explore.listing import MOST_ROWS, listing, worded
from custvalue.explore.panel import panel
from custvalue.workspace import make_workspace

SAMPLE = ROOT / "data" / "sample"


class World:
    """The sample with everything an explorer may be given."""

    def __init__(self, language):
        self.settings = cv.load_settings(data=SAMPLE, language=language)
        self.orders = cv.read(SAMPLE, self.settings)
        self.customers = cv.customer_table(self.orders)
        self.attributes = cv.read_attributes(SAMPLE, self.settings)
        self.forecast = cv.forecast_orders(self.orders, self.customers, self.settings)
        table = self.customers.merge(self.forecast.table, on="customer_id")
        table = table.merge(cv.churn.stages(table, self.settings.churn), on="customer_id")
        self.table = table.merge(cv.pyramid.pyramid(table)[["customer_id", "tier"]], on="customer_id")

    def explorer(self, name):
        s = self.settings
        made = {
            "pyramid": lambda: answers.pyramid_explorer(self.customers, s, s.pyramid),
            "matrix": lambda: answers.matrix_explorer(self.customers, s, s.matrix, self.attributes),
            "clusters": lambda: answers.clusters_explorer(self.customers, s, s.segmentation),
            "lifetime": lambda: answers.lifetime_explorer(self.customers, self.forecast, s),
            "stages": lambda: answers.stages_explorer(self.table, s),
            "customer": lambda: answers.customer_explorer(self.orders, self.table, self.forecast, s),
        }
        return made[name]()


NAMES = ("pyramid", "matrix", "clusters", "lifetime", "stages", "customer")


@pytest.fixture(scope="module")
def world():
    return World("en")


@pytest.fixture(autouse=True)
def no_figures():
    yield
    plt.close("all")


def answered(explorer, **changes):
    assert not set(changes) - set(explorer.start)
    return explorer.answer(explorer.start | changes)


def test_the_pyramid_answers_what_the_analysis_says(world):
    explorer = world.explorer("pyramid")
    now = answered(explorer, cut_gold=0.10)
    rules = cv.adjusted(world.settings.pyramid, cuts=(0.01, 0.10, 0.20))
    pd.testing.assert_frame_equal(now.table, cv.pyramid.tier_summary(cv.pyramid.pyramid(world.customers, rules)))
    kept = explorer.chosen(explorer.start | {"cut_gold": 0.10, "by": "margin"})
    assert kept == {"pyramid.by": "margin", "pyramid.cuts": [0.01, 0.10, 0.20]}


def test_cuts_that_cross_are_refused_in_words(world):
    with pytest.raises(UsageError, match="0 < a < b < c < 1"):
        answered(world.explorer("pyramid"), cut_gold=0.5)


def test_a_higher_threshold_leaves_fewer_customers_high(world):
    explorer = world.explorer("matrix")
    sizes = [answered(explorer, high_x=x).table.set_index("quadrant")["n_customers"] for x in (0.5, 0.9)]
    high = [size["high_high"] + size["high_low"] for size in sizes]
    assert high[0] == pytest.approx(0.5 * len(world.customers), rel=0.01)
    assert high[1] == pytest.approx(0.1 * len(world.customers), rel=0.01)


def test_the_weights_of_the_second_matrix_move_customers_and_are_kept(world):
    explorer = world.explorer("matrix")
    other = explorer.start | {"matrix": "value_class", "weight_growth": 3.0, "weight_breadth": 0.0}
    assert not explorer.answer(other).table.equals(answered(explorer, matrix="value_class").table)
    kept = explorer.chosen(other)["matrix.potential_weights"]
    assert kept["growth"] == 3.0
    assert kept["breadth"] == 0.0
    assert "matrix.potential_weights" not in explorer.chosen(explorer.start)


def test_the_traits_of_a_cluster_are_words(world):
    table = answered(world.explorer("clusters"), clusters=2).table
    assert table["traits"].str.contains("recent, frequent, high spend").any()


def test_the_number_of_clusters_is_the_one_asked_for(world):
    explorer = world.explorer("clusters")
    assert [len(answered(explorer, clusters=k).table) for k in (2, 5)] == [2, 5]


def test_the_what_if_of_nothing_changed_is_todays_value(world):
    table = answered(world.explorer("lifetime")).table.set_index("retention_change")
    today = world.forecast.table["clv_life"].sum()
    assert table.loc[0.0, "value"] == pytest.approx(today)
    expected = cv.lifetime.retention_what_if(world.customers, world.forecast, [0.05])["value"].iloc[0]
    assert table.loc[0.05, "value"] == pytest.approx(expected)


def test_margin_scales_the_value_and_a_higher_rate_lowers_it(world):
    explorer = world.explorer("lifetime")
    today = world.forecast.table["clv_life"].sum()
    at = {
        key: answered(explorer, **change).table.set_index("retention_change").loc[0.0, "value"]
        for key, change in {"margin": {"margin_change": 0.2}, "rate": {"discount_rate": 0.2}}.items()
    }
    assert at["margin"] == pytest.approx(1.2 * today)
    assert 0.4 * today < at["rate"] < 0.9 * today


def test_a_discount_what_if_agrees_with_a_forecast_made_at_that_rate(world):
    rules = cv.adjusted(world.settings.lifetime, discount_rate=0.2, model=world.forecast.chosen)
    made = cv.lifetime.forecast(
        world.customers, world.orders.as_of, rules, scores=world.forecast.scores, weights=world.forecast.weights
    )
    asked = cv.lifetime.value_what_if(world.customers, world.forecast, [0.0], discount_rate=0.2)
    assert asked["value"].iloc[0] == pytest.approx(made.table["clv_life"].sum(), rel=0.02)


def test_stricter_stage_rules_put_more_customers_in_decline(world):
    explorer = world.explorer("stages")
    usual, strict = (
        answered(explorer, **change).table.set_index("stage")["n_customers"]
        for change in ({}, {"overdue_decline": 1.0})
    )
    assert usual["decline"] == (world.table["stage"] == "decline").sum()
    assert strict["decline"] > usual["decline"]


def test_one_customer_by_id_and_an_unknown_one(world):
    explorer = world.explorer("customer")
    row = answered(explorer, customer=" C00002 ").table.iloc[0]
    known = world.table.set_index("customer_id").loc["C00002"]
    assert row["n_orders"] == known["n_orders"]
    assert row["p_alive"] == known["p_alive"]
    with pytest.raises(cv.DataError, match="nobody"):
        answered(explorer, customer="nobody")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_widgets_show_chart_table_and_words(world, name, language):
    explorer = world.explorer(name)
    box = panel(explorer, language, "CNY", SAMPLE / "custvalue.toml")
    *_, said, image, table = box.children
    assert bytes(image.value).startswith(b"\x89PNG")
    assert len(table.df)
    assert "Error" not in said.value
    words = [control.description for control in box.children if getattr(control, "description", "")]
    assert words
    assert all(words)


def test_the_table_keeps_its_form_when_it_is_renewed(world):
    box = panel(world.explorer("customer"), "zh", "CNY", None)
    table = box.children[-1]
    for customer in ("C00002", "C00005"):
        box.children[0].value = customer
        assert table.df.iloc[0, 0] == customer
        assert table._dt_args["layout"]["bottomStart"] == "buttons"
        assert table._dt_args["buttons"][0]["text"] == "下载（CSV）"
        assert "customer_id" not in table._dt_args["table_html"]


@pytest.mark.parametrize("name", ["matrix", "stages"])
def test_the_table_fits_beside_the_sliders(world, name):
    assert len(answered(world.explorer(name)).table.columns) <= 8


def test_a_slider_that_can_not_be_says_so_and_leaves_the_chart(world):
    box = panel(world.explorer("pyramid"), "en", "", None)
    by, platinum, gold, *_ = box.children
    image, said = box.children[-2], box.children[-3]
    before = image.value
    gold.value = 0.55
    assert image.value == before
    assert "0 &lt; a &lt; b" in said.value
    gold.value = 0.10
    assert image.value != before
    assert said.value == ""
    assert {by.description, platinum.description} == {"Rank by", "Platinum ends at"}


def test_the_button_keeps_the_choice(world, tmp_path):
    file = tmp_path / "custvalue.toml"
    file.write_text((SAMPLE / "custvalue.toml").read_text("utf-8"), "utf-8")
    box = panel(world.explorer("pyramid"), "en", "", file)
    box.children[2].value = 0.08
    button = next(widget for widget in box.children if "cv-explore-save" in widget._dom_classes)
    button.click()
    assert cv.load_settings(str(file)).pyramid.cuts == (0.01, 0.08, 0.20)
    assert "custvalue.toml" in box.children[-3].value


def test_text_from_the_data_is_no_markup_in_the_table():
    nasty = "<img src=x onerror=alert(1)>"
    table = worded(pd.DataFrame({"customer_id": [nasty], "sales": [1.0]}))
    from itables.widget import ITable

    sent = str(ITable(table)._dt_args)
    assert table.iloc[0, 0] == nasty
    assert "<img" not in sent


@pytest.mark.parametrize(("rows", "told"), [(MOST_ROWS, False), (MOST_ROWS + 1, True)])
def test_a_long_table_holds_all_its_rows_or_says_how_many(rows, told):
    box = listing(pd.DataFrame({"customer_id": [f"C{i}" for i in range(rows)]}), "zh")
    *said, table = box.children
    assert len(table.df) == MOST_ROWS
    assert table._dt_args["data_json"].count("C") == MOST_ROWS
    assert [f"{rows:,}" in line.value for line in said] == [True] * told


# Settings


def test_only_the_line_of_the_key_changes(tmp_path):
    file = tmp_path / "custvalue.toml"
    text = (SAMPLE / "custvalue.toml").read_text("utf-8")
    file.write_text(text, "utf-8")
    save_settings(file, {"pyramid.cuts": [0.02, 0.06, 0.3]})
    before, after = text.splitlines(), file.read_text("utf-8").splitlines()
    changed = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
    assert changed == [("#cuts = [0.01, 0.05, 0.20]", "cuts = [0.02, 0.06, 0.3]")]


@pytest.mark.parametrize(
    ("text", "section"),
    [
        ("", "pyramid"),
        ("language = 'zh'\n", "pyramid"),
        ("[churn]\nfall = 0.4 # x\n[matrix]\ngone_days = 9\n", "churn"),
    ],
)
def test_a_key_finds_its_section(tmp_path, text, section):
    file = tmp_path / "custvalue.toml"
    file.write_text(text, "utf-8")
    key = {"pyramid": ("by", "margin"), "churn": ("growth", 0.3)}[section]
    save_settings(file, {f"{section}.{key[0]}": key[1]})
    now = tomllib.loads(file.read_text("utf-8"))
    assert now[section].pop(key[0]) == key[1]
    now = {name: value for name, value in now.items() if value != {}}
    assert now == tomllib.loads(text)


def test_a_value_the_settings_do_not_allow_is_not_written(tmp_path):
    file = tmp_path / "custvalue.toml"
    file.write_text("[pyramid]\nby = 'sales'\n", "utf-8")
    with pytest.raises(UsageError, match="cuts"):
        save_settings(file, {"pyramid.cuts": [0.5, 0.1, 0.2]})
    assert file.read_text("utf-8") == "[pyramid]\nby = 'sales'\n"
    assert list(tmp_path.iterdir()) == [file]


def test_a_key_on_several_lines_is_left_alone(tmp_path):
    file = tmp_path / "custvalue.toml"
    text = "[pyramid]\ncuts = [\n  0.01,\n  0.05,\n  0.2,\n]\n"
    file.write_text(text, "utf-8")
    with pytest.raises(UsageError, match=r"pyramid\.cuts could not be written"):
        save_settings(file, {"pyramid.cuts": [0.02, 0.05, 0.2]})
    assert file.read_text("utf-8") == text


def test_where_settings_are_kept(tmp_path):
    assert settings_file("", SAMPLE) == SAMPLE / "custvalue.toml"
    assert settings_file("", SAMPLE / "orders.csv") == SAMPLE / "custvalue.toml"
    assert settings_file("", tmp_path / "mine.csv") == tmp_path / "custvalue.toml"
    assert settings_file("other.toml", SAMPLE).name == "other.toml"
    assert settings_file("", "postgres://host/shop?table=t").name == "custvalue.toml"


def test_a_choice_kept_beside_a_file_or_in_the_workspace_counts_the_next_time(tmp_path):
    make_workspace(tmp_path / "shop")
    for file, kept in (
        (tmp_path / "mine.csv", tmp_path / "custvalue.toml"),
        (tmp_path / "shop" / "notebooks" / "mine.csv", tmp_path / "shop" / "custvalue.toml"),
    ):
        assert save_settings(settings_file("", file), {"pyramid.cuts": [0.02, 0.06, 0.3]}) == kept
        assert cv.load_settings("", file).pyramid.cuts == (0.02, 0.06, 0.3)


def test_weights_are_offered_only_where_they_count(world):
    box = panel(world.explorer("matrix"), "en", "", None)
    kind = box.children[0]

    def offered():
        shown = [control for control in box.children if getattr(control, "description", "").startswith("Weight")]
        return {control.layout.display for control in shown}

    assert offered() == {"none"}
    kind.value = "value_class"
    assert offered() == {None}


# Without a reader

HEADLESS = """
import sys, pandas as pd, custvalue as cv
assert cv.explore_pyramid(pd.DataFrame({"sales": [1.0]}), cv.load_settings()) is None
loaded = {"ipywidgets", "itables", "anywidget"} & set(sys.modules)
assert not loaded, loaded
"""


def test_without_a_reader_nothing_is_shown_or_loaded(monkeypatch):
    for name in ("JPY_SESSION_NAME", "CUSTVALUE_EXPLORE"):
        monkeypatch.delenv(name, raising=False)
    done = subprocess.run([sys.executable, "-c", HEADLESS], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("session", "switch", "shown"), [("a.ipynb", "", True), ("a.ipynb", "0", False), ("", "1", True)]
)
def test_a_session_of_a_jupyter_server_has_a_reader(monkeypatch, session, switch, shown):
    monkeypatch.setenv("JPY_SESSION_NAME", session)
    monkeypatch.setenv("CUSTVALUE_EXPLORE", switch)
    assert is_interactive() is shown
    assert not is_interactive(False)


def test_numbers_in_words_keep_their_order_and_gaps():
    shown = worded(pd.DataFrame({"tier": ["gold", "lead"], "value": [1234.5, np.nan]}), "zh", "CNY")
    assert shown.iloc[:, 1].tolist() == ["1,234", ""]
    assert shown.columns[1].endswith("（元）")

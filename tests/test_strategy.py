"""The strategy catalogue: complete for every code, and a firm's own file laid over it."""

from __future__ import annotations

import importlib

import pytest

from custvalue import read_strategy
from custvalue.churn import ChurnRules
from custvalue.config import Inputs, Settings, load_settings
from custvalue.errors import DataError, UsageError
from custvalue.labels import LANGUAGES, catalogue
from custvalue.positioning import PositioningRules
from custvalue.strategy import (
    FIELDS,
    POSITION_FIELDS,
    code_words,
    overlaid,
    rule_table,
    strategy_for,
    strategy_table,
)
from custvalue.tables import advise
from custvalue.targeting import TargetingRules

#: Every group of customers that an analysis emits: the module, its codes and their kind.
EMITTED = [
    ("segmentation", "SEGMENTS", "segment"),
    ("matrix", "QUADRANTS", "quadrant"),
    ("matrix", "VALUE_CLASSES", "value_class"),
    ("pyramid", "TIERS", "tier"),
    ("churn", "STAGES", "stage"),
    ("targeting", "TARGET_CLASSES", "target"),
    ("targeting", "TASKS", "task"),
    ("positioning", "RUNGS", "rung"),
]
OWN = """
[codes]
member_level = ["vip", "plain"]

[member_level.vip]
label = {en = "Very important", zh = "贵宾"}
goal.en = "Keep."
actions.en = "Call."
offer.en = "Tea."
measure.en = "Share kept."
care.en = "Personal."

[member_level.plain]
goal.zh = "留住。"
actions.zh = "发信息。"
offer.zh = "茶。"
measure.zh = "留存率。"
care.zh = "标准。"

[tier.gold]
goal.zh = "每季度拜访一次。"
rule.en = "The next forty names on the list"

[positioning.monthly]
proposition.en = "Always in stock."
"""


@pytest.fixture
def firm(tmp_path):
    (tmp_path / "strategy.toml").write_text(OWN, "utf-8")
    return tmp_path


# ---- ours


@pytest.mark.parametrize(("module", "constant", "kind"), EMITTED)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_code_that_is_emitted_has_every_text(module, constant, kind, language):
    codes = getattr(importlib.import_module(f"custvalue.{module}"), constant)
    assert tuple(catalogue("labels")[kind]) == tuple(codes)
    for code in codes:
        said = strategy_for(kind, code, language)
        texts = [getattr(said, field) for field in FIELDS]
        assert all(text.strip() for text in texts)
        assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_segment_has_its_position(language):
    table = strategy_table("positioning", language)
    assert table["segment"].tolist() == list(catalogue("labels")["segment"])
    assert list(table.columns[1:]) == [f"position_{field}" for field in POSITION_FIELDS]
    assert (table.iloc[:, 1:].map(len) > 5).all(axis=None)
    assert table["position_proposition"].is_unique
    disciplines = ["operational excellence", "product leadership", "customer intimacy"]
    if language == "en":
        assert table["position_discipline"].str.lower().map(lambda said: any(d in said for d in disciplines)).all()


@pytest.mark.parametrize(
    ("kind", "rules"), [("rung", PositioningRules()), ("task", TargetingRules()), ("stage", ChurnRules())]
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_group_tells_how_to_get_into_it(kind, rules, language):
    table = rule_table(kind, rules, language)
    assert table["rule"].is_unique
    assert not table["rule"].str.contains("{", regex=False).any()


def test_the_position_is_no_strategy_card():
    with pytest.raises(UsageError, match="positioning"):
        strategy_for("positioning", "monthly")


def test_unknown_kind_and_code_of_ours():
    with pytest.raises(UsageError, match="tier"):
        strategy_table("teir")
    with pytest.raises(UsageError, match="gold"):
        strategy_for("tier", "glod")


# ---- a firm's own


def test_a_file_in_the_data_folder_is_laid_over_ours(firm):
    texts = read_strategy(firm, Settings())
    assert strategy_for("tier", "gold", "zh", texts).goal == "每季度拜访一次。"
    assert strategy_for("tier", "gold", "en", texts).goal == strategy_for("tier", "gold").goal
    assert strategy_for("tier", "gold", "zh", texts).offer == strategy_for("tier", "gold", "zh").offer
    assert advise("tier", "zh", ["gold"], texts).groups[0][1][0][1] == "每季度拜访一次。"
    assert advise("positioning", codes=["monthly"], texts=texts).groups[0][1][0][1] == "Always in stock."
    assert strategy_table("tier", "zh", ["gold"], texts)["goal"].tolist() == ["每季度拜访一次。"]


def test_nothing_stays_behind(firm):
    before = strategy_for("tier", "gold", "zh").goal
    read_strategy(firm, Settings())
    assert strategy_for("tier", "gold", "zh").goal == before
    with pytest.raises(UsageError, match="member_level"):
        strategy_table("member_level")


def test_without_a_file_everything_is_ours(tmp_path):
    texts = read_strategy(tmp_path, Settings())
    assert set(texts) == {*catalogue("strategy"), "positioning"}
    for kind in catalogue("strategy"):
        assert strategy_table(kind, texts=texts).equals(strategy_table(kind))


def test_the_path_counts_from_the_config(firm, tmp_path):
    config = tmp_path / "settings" / "custvalue.toml"
    config.parent.mkdir()
    (config.parent / "ours.toml").write_text('[tier.lead]\ngoal.en = "No visits."\n', "utf-8")
    config.write_text('[inputs]\nstrategy = "ours.toml"\n', "utf-8")
    texts = read_strategy(firm, load_settings(str(config)))
    assert strategy_for("tier", "lead", texts=texts).goal == "No visits."
    assert "member_level" not in texts


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(DataError, match=r"nowhere\.toml"):
        read_strategy("no/such/folder", Settings(inputs=Inputs(strategy="nowhere.toml")))


def test_groups_of_the_firms_own(firm):
    texts = read_strategy(firm, Settings())
    assert code_words("member_level", "en", texts) == {"vip": "Very important", "plain": "plain"}
    cards = advise("member_level", "zh", texts=texts).groups
    assert [title for title, _ in cards] == ["贵宾", "plain"]
    assert cards[0][1][0][1] == "Keep."  # the only language there is
    assert strategy_for("member_level", "plain", "en", texts).care == "标准。"
    assert strategy_table("member_level", texts=texts)["member_level"].tolist() == ["vip", "plain"]


def test_rules_in_the_firms_own_words(firm):
    texts = read_strategy(firm, Settings())
    ours = {"stage": {"stable": {"rule": {"en": "Buys {as always} & <often>"}}}}
    said = rule_table("stage", ChurnRules(), texts=overlaid(ours)).set_index("stage")["rule"]
    assert said["stable"] == "Buys {as always} & <often>"
    assert said["identify"] == "Bought on one day so far"
    assert texts["tier"]["gold"]["rule"]["en"].startswith("The next forty")


def test_text_from_the_file_is_never_markup():
    own = {"tier": {"gold": {"goal": {"en": "<script>alert(1)</script> {{ 7 * 7 }} {code}"}}}}
    page = advise("tier", codes=["gold"], texts=overlaid(own))._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; {{ 7 * 7 }} {code}" in page
    named = {"codes": {"x": ["<b>"]}, "x": {"<b>": {field: {"en": "text"} for field in FIELDS}}}
    assert "&lt;b&gt;" in advise("x", texts=overlaid(named))._repr_html_()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"teir": {"gold": {"goal": {"en": "x"}}}}, '"teir" is not known.*did you mean "tier"'),
        ({"tier": {"glod": {"goal": {"en": "x"}}}}, '"glod".*tier.*did you mean "gold"'),
        ({"tier": {"gold": {"gaol": {"en": "x"}}}}, 'gaol.*did you mean "goal"'),
        ({"tier": {"gold": {"goal": {"fr": "x"}}}}, "fr.*en, zh"),
        ({"tier": {"gold": {"label": {"en": "x"}}}}, "label"),
        ({"tier": {"gold": {"goal": "x"}}}, r"tier\.gold\.goal must hold a text by language"),
        ({"tier": {"gold": {"goal": {"en": " "}}}}, r"tier\.gold\.goal\.en"),
        ({"tier": {"gold": {"goal": {"en": 7}}}}, "got 7"),
        ({"tier": {"gold": {"goal": {}}}}, "by language"),
        ({"tier": {"gold": "x"}}, r"tier\.gold must hold"),
        ({"tier": "x"}, "tier must hold"),
        ({"positioning": {"monthly": {"goal": {"en": "x"}}}}, "goal.*proposition"),
        ({"codes": ["a"]}, "must list your own groups"),
        ({"codes": {"mine": "a"}}, "mine = 'a'"),
        ({"codes": {"mine": []}}, "mine"),
        ({"codes": {"tier": ["a"]}}, "a name that we do not use"),
        ({"codes": {"mine": ["a", "b"]}, "mine": {}}, "no texts for: a, b"),
        ({"codes": {"mine": ["a"]}}, "no texts for: a"),
        ({"codes": {"mine": ["a"]}, "mine": {"a": {"goal": {"en": "x"}}}}, "lacks: actions, offer, measure, care"),
        ({"codes": {"mine": ["a"]}, "mine": {"a": dict.fromkeys(FIELDS, None), "z": {}}}, '"z" is not known'),
    ],
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_what_can_not_be_used_is_named(content, message, language):
    with pytest.raises(UsageError, match=message) as caught:
        overlaid(content, "our.toml")
    assert caught.value.exit_code == 2
    assert "our.toml" in caught.value.text(language)


def test_a_file_that_is_no_toml(tmp_path):
    (tmp_path / "strategy.toml").write_text("[tier.gold\n", "utf-8")
    with pytest.raises(UsageError, match=r"strategy\.toml can not be read as TOML"):
        read_strategy(tmp_path, Settings())

"""The words: both languages complete, the same places for values, one word for every code."""

import ast
import importlib
import re
import tomllib
from pathlib import Path
from string import Formatter

import pytest

import custvalue
from custvalue import lifetime
from custvalue.columns import CUSTOMER_COLUMNS, ORDER_COLUMNS, SCORECARD_COLUMNS
from custvalue.labels import LANGUAGES, catalogue, describe

PACKAGE = Path(custvalue.__file__).parent
FILES = sorted((PACKAGE / "locale").glob("*.toml"))
UNITS = {"text", "count", "money", "share", "days", "date", "number", "plain", "tenths", "change", "points"}
NAMES = {"A", "B", "C", "D", "BG/NBD", "MBG/NBD", "MBG/CNBD-k", "Pareto/NBD", "NBD"}
STRATEGY_KINDS = (
    "tier",
    "quadrant",
    "value_class",
    "segment",
    "rfm_group",
    "browsing",
    "stage",
    "action",
    "target",
    "task",
    "rung",
)
STRATEGY_FIELDS = {"goal", "actions", "offer", "measure", "care"}
CODES = [
    ("segmentation", "SEGMENTS", "segment"),
    ("segmentation", "RFM_GROUPS", "rfm_group"),
    ("segmentation", "BEST", "group_12m"),
    ("profiles", "BANDS", "band"),
    ("matrix", "QUADRANTS", "quadrant"),
    ("matrix", "VALUE_CLASSES", "value_class"),
    ("pyramid", "TIERS", "tier"),
    ("churn", "STAGES", "stage"),
    ("targeting", "CRITERIA", "criterion"),
    ("targeting", "TARGET_CLASSES", "target"),
    ("targeting", "TASKS", "task"),
    ("keyaccounts", "ACCOUNT_PARTS", "account_part"),
    ("keyaccounts", "FIRST_STEPS", "first_step"),
    ("positioning", "RUNGS", "rung"),
    ("positioning", "FACTORS", "factor"),
]
ERROR_NAMES = {"UsageError", "DataError", "AnalysisError", "CustvalueError"}


def leaves(node, path=""):
    """Every mapping that holds a word in some language, with its path."""
    if any(isinstance(node.get(language), str) for language in LANGUAGES):
        yield path, node
    for key, value in node.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{path}.{key}" if path else key)


def placeholders(template):
    return {field for _, field, _, _ in Formatter().parse(template) if field is not None}


def without_placeholders(template):
    return "".join(literal for literal, *_ in Formatter().parse(template))


def words(file):
    return dict(leaves(tomllib.loads(file.read_text("utf-8"))))


every_file = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


@every_file
def test_both_languages_say_something(file):
    for path, entry in words(file).items():
        assert all(entry.get(language, "").strip() for language in LANGUAGES), path


@every_file
def test_both_languages_take_the_same_values(file):
    for path, entry in words(file).items():
        assert placeholders(entry["en"]) == placeholders(entry["zh"]), path


@every_file
def test_chinese_is_simplified_chinese(file):
    for path, entry in words(file).items():
        said = without_placeholders(entry["zh"])
        characters = "".join(re.findall("[一-鿿]", said))
        has_words = any(character.isalpha() for character in said)
        assert characters or said in NAMES or not has_words, path
        assert characters.encode("gb2312", "ignore").decode("gb2312") == characters, path
        assert not re.search("[一-鿿][,.;:?!](?:[一-鿿]|$)", entry["zh"]), path


@every_file
def test_english_holds_no_chinese(file):
    chinese = [path for path, entry in words(file).items() if re.search("[一-鿿，。；：]", entry["en"])]
    assert chinese == []


def test_every_column_has_a_heading_a_unit_and_a_meaning():
    columns = catalogue("columns")
    orders = {column.name for column in ORDER_COLUMNS}
    assert orders | {*CUSTOMER_COLUMNS, *SCORECARD_COLUMNS} <= set(columns)
    for name, entry in columns.items():
        assert set(entry) == {"en", "zh", "unit", "help"}, name
        assert entry["unit"] in UNITS, name
        assert describe(name, "en").endswith("."), name
        assert describe(name, "zh").endswith("。"), name


def test_recency_is_the_models_word_and_never_a_column():
    assert "recency" not in catalogue("columns")


@pytest.mark.parametrize("kind", STRATEGY_KINDS)
def test_every_code_has_its_strategy_and_no_other(kind):
    texts = catalogue("strategy")
    assert tuple(texts[kind]) == tuple(catalogue("labels")[kind])
    assert {code for code, entry in texts[kind].items() if set(entry) != STRATEGY_FIELDS} == set()


def test_strategies_are_of_the_six_kinds():
    assert set(catalogue("strategy")) == set(STRATEGY_KINDS)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_two_codes_of_a_kind_share_a_word(language):
    for kind, codes in catalogue("labels").items():
        assert len({entry[language] for entry in codes.values()}) == len(codes), kind


@pytest.mark.parametrize(("module", "constant", "kind"), CODES)
def test_labels_stand_in_the_order_of_the_analysis(module, constant, kind):
    codes = getattr(importlib.import_module(f"custvalue.{module}"), constant)
    assert tuple(codes) == tuple(catalogue("labels")[kind])


def test_every_model_has_a_name():
    assert {*lifetime.MODELS, *lifetime.NAIVE_RULES} <= set(catalogue("labels")["model"])


def sources():
    for file in sorted(PACKAGE.rglob("*.py")):
        yield file.relative_to(PACKAGE).as_posix(), ast.parse(file.read_text("utf-8"))


def raised():
    """Every error made with a literal code: file and line, the code, its values (None where not literal)."""
    for file, tree in sources():
        for node in ast.walk(tree):
            name = getattr(getattr(node, "func", None), "id", "")
            if name in ERROR_NAMES and node.args and isinstance(node.args[0], ast.Constant):
                given = {keyword.arg for keyword in node.keywords}
                yield f"{file}:{node.lineno}", node.args[0].value, None if None in given else given


def error_texts():
    texts = {}
    for file in FILES:
        if file.stem.startswith("errors"):
            texts |= tomllib.loads(file.read_text("utf-8"))
    return texts


def test_every_error_has_its_sentence():
    texts = error_texts()
    assert [(place, code) for place, code, _ in raised() if code not in texts] == []


def test_every_error_brings_the_values_its_sentence_needs():
    texts = error_texts()
    known = [(place, code, given) for place, code, given in raised() if code in texts and given is not None]
    assert known
    assert [(place, code) for place, code, given in known if given != placeholders(texts[code]["en"])] == []


def test_no_sentence_waits_for_an_error_that_never_comes():
    constants = set()
    for _, tree in sources():
        constants |= {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    assert {code for code in error_texts() if not {code, f"errors.{code}"} & constants} == set()

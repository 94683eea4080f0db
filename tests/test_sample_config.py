"""The commented configuration of the sample: complete, true to the defaults, and in both languages."""

from __future__ import annotations

import dataclasses
import re
import tomllib
import typing

import pytest

from custvalue.columns import ORDER_COLUMNS
from custvalue.config import Settings, load_settings

#: Keys that have no default to show: their line holds an example.
EXAMPLES = {"margin_rate", "columns"}
CHINESE = re.compile(r"[\u4e00-\u9fff]")
#: A setting with its default, as against a comment in words, which has a blank after the "#".
COMMENTED_OUT = re.compile(r"^#(?=[a-z_]+ = )", re.MULTILINE)


@pytest.fixture(scope="module")
def words(sample):
    return (sample / "custvalue.toml").read_text("utf-8")


@pytest.fixture(scope="module")
def uncommented(words):
    return COMMENTED_OUT.sub("", words)


def test_only_language_and_currency_are_set(words):
    content = tomllib.loads(words)
    assert {key: value for key, value in content.items() if value != {}} == {"language": "en", "currency": "CNY"}


def test_every_key_is_there_and_no_other(uncommented):
    hints = typing.get_type_hints(Settings)
    content = tomllib.loads(uncommented)
    assert set(content) == set(hints)
    for section, kind in hints.items():
        if dataclasses.is_dataclass(kind):
            assert set(content[section]) == {field.name for field in dataclasses.fields(kind)}, section
    assert list(content["columns"]) == [column.name for column in ORDER_COLUMNS]


def test_the_values_shown_are_the_defaults(uncommented, tmp_path):
    file = tmp_path / "all.toml"
    file.write_text(uncommented, "utf-8")
    shown, default = load_settings(str(file)), Settings(currency="CNY")
    for field in dataclasses.fields(Settings):
        if field.name not in EXAMPLES:
            assert getattr(shown, field.name) == getattr(default, field.name), field.name


def explanations(words):
    """The comment above each key or run of keys, by the first key."""
    comment, found = [], {}
    for line in words.splitlines():
        if line.startswith("#"):
            comment.append(line)
            continue
        key = re.match(r"([a-z_]+) = ", line)
        if key and comment:
            found[key[1]] = " ".join(comment)
        comment = []
    return found


def test_each_key_is_explained_in_english_and_chinese(uncommented):
    """Keys that stand together share one explanation."""
    found = explanations(uncommented)
    assert len(found) > 30
    for key, comment in found.items():
        assert len(CHINESE.findall(comment)) > 1, key
        assert re.search(r"[A-Za-z]{3,} [a-z]+|[A-Z][a-z]+", comment), key

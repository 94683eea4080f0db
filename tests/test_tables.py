"""Shown tables, sentences, strategies and written files."""

import csv
import datetime as dt
from decimal import Decimal
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup

from custvalue import tables
from custvalue.errors import UsageError
from custvalue.labels import LANGUAGES, labels, text
from custvalue.strategy import strategy_for, strategy_table
from custvalue.tables import Sentence, advise, glossary, save, say, show

STRATEGY_KINDS = ("tier", "quadrant", "value_class", "segment", "stage", "action")
EVIL = '<script>alert("x")</script>&amp;'


class Page(HTMLParser):
    """Tags, texts of the cells and attributes of the headings, as a browser reads them."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.texts, self.heads = [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "th":
            self.heads.append(dict(attrs))

    def handle_data(self, data):
        if data.strip():
            self.texts.append(data)


def cells(frame, language="en", **options):
    return [list(row) for row in show(frame, language, **options).rows]


def headings(frame, language="en", **options):
    return [column.heading for column in show(frame, language, **options).columns]


def test_values_stand_in_the_unit_of_their_column():
    frame = pd.DataFrame(
        {
            "sales": [1234567.4, 99.5],
            "share_sales": [0.1234, 1.0],
            "n_orders": [12345, 1],
            "days_since_last": [1500, 0],
            "overdue": [1.234, 0.5],
            "first_order": pd.to_datetime(["2025-02-28", "2024-02-29"]),
        }
    )
    first, second = cells(frame)
    assert first == ["1,234,567", "12.3%", "12,345", "1,500", "1.23", "2025-02-28"]
    assert second == ["100", "100.0%", "1", "0", "0.50", "2024-02-29"]


@pytest.mark.parametrize(
    ("amounts", "said"),
    [
        ([8.1, 30.5, 417.0, None], ["8.10", "30.50", "417.00", "–"]),
        ([-0.3, 2615.0], ["0", "2,615"]),
        ([919.14, 134.0, 0.0], ["919.14", "134.00", "0.00"]),
        ([49.0, 939.0], ["49", "939"]),
        ([None, None], ["–", "–"]),
    ],
)
def test_money_is_written_alike_down_a_column(amounts, said):
    column = pd.Series(amounts, dtype="float64")
    assert [row[0] for row in cells(pd.DataFrame({"sales": column}))] == said
    assert [row[0] for row in cells(pd.DataFrame({"sales": column.astype("Float64")}))] == said


def test_money_headings_carry_the_currency_and_others_do_not():
    frame = pd.DataFrame({"sales": [1.0], "n_orders": [1], "shoe_size": [40]})
    assert headings(frame, currency="CNY") == ["Sales (CNY)", "Orders", "shoe_size"]


@pytest.mark.parametrize("nothing", [None, np.nan, pd.NA, pd.NaT])
@pytest.mark.parametrize("column", ["sales", "n_orders", "first_order", "tier", "customer_id", "own"])
def test_a_missing_value_is_a_dash_in_any_column(nothing, column):
    assert cells(pd.DataFrame({column: pd.Series([nothing], dtype=object)})) == [["–"]]


def test_missing_counts_of_nullable_type_are_dashes():
    assert cells(pd.DataFrame({"n_categories": pd.array([3, None], dtype="Int64")})) == [["3"], ["–"]]


@pytest.mark.parametrize("kind", [*STRATEGY_KINDS, "reason", "model"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_codes_are_shown_as_words(kind, language):
    words = labels(kind, language)
    frame = pd.DataFrame({kind: pd.Categorical(list(words), categories=list(words), ordered=True)})
    assert [row[0] for row in cells(frame, language)] == list(words.values())


def test_the_datas_own_codes_take_the_words_given_and_unknown_codes_stay():
    frame = pd.DataFrame({"category": ["shoes", "hats"], "tier": ["gold", "tin"]})
    own = {"category": {"shoes": "鞋类"}}
    assert cells(frame, "zh", labels=own) == [["鞋类", "B 黄金客户"], ["hats", "tin"]]


def test_truth_values_are_yes_and_no():
    frame = pd.DataFrame({"chosen": [True, False]})
    assert cells(frame) == [["Yes"], ["No"]]
    assert cells(frame, "zh") == [["是"], ["否"]]


def test_columns_the_catalogue_does_not_know_show_whole_numbers_as_they_are():
    own = {"year": [2024], "ratio": [0.3333], "when": [dt.date(2025, 1, 2)], "price": [Decimal("2.5")]}
    assert cells(pd.DataFrame(own)) == [["2024", "0.33", "2025-01-02", "2.5"]]


def test_customer_numbers_are_never_taken_for_numbers():
    frame = pd.DataFrame({"customer_id": ["00123", "1234567890123456789"]})
    assert cells(frame) == [["00123"], ["1234567890123456789"]]
    assert show(frame).columns[0].align == "text"


def test_nothing_of_the_data_becomes_markup():
    frame = pd.DataFrame({"customer_id": [EVIL], EVIL: [EVIL], "tier": [EVIL]})
    page = Page(show(frame, title=EVIL, labels={"tier": {EVIL: EVIL}})._repr_html_())
    assert set(page.tags) == {"table", "caption", "thead", "tbody", "tr", "th", "td"}
    assert page.texts == [EVIL, "Customer", EVIL, "Tier", EVIL, EVIL, EVIL]


def test_headings_explain_themselves_and_numbers_stand_right():
    frame = pd.DataFrame({"customer_id": ["a"], "p_alive": [0.5], "own": ["b"]})
    page = Page(show(frame, "zh")._repr_html_())
    assert "截止日" in page.heads[1]["title"]
    assert "title" not in page.heads[2]
    assert [head["style"].split(";")[0] for head in page.heads] == [
        "text-align:left",
        "text-align:right",
        "text-align:left",
    ]


@pytest.mark.parametrize(
    ("rows", "english", "chinese"),
    [
        (5000, "… and 4,970 more rows", "……另有 4,970 行未显示"),
        (31, "… and 1 more row", "……另有 1 行未显示"),
        (30, "", ""),
        (0, "No rows.", "没有记录。"),
    ],
)
def test_rows_beyond_the_limit_are_counted(rows, english, chinese):
    frame = pd.DataFrame({"n_orders": range(rows)})
    assert (show(frame).note, show(frame, "zh").note) == (english, chinese)
    assert len(show(frame).rows) == min(rows, 30)
    assert repr(show(frame)).count("\n") == min(rows, 30) + bool(english)


def test_a_page_can_unfold_a_long_table_up_to_row_100():
    shown = show(pd.DataFrame({"n_orders": range(5000)}), max_rows=10)
    page = BeautifulSoup(shown._repr_html_(), "html.parser")
    rows = page.tbody("tr")
    assert len(rows) == 100
    assert [row.has_attr("hidden") for row in rows] == [False] * 10 + [True] * 90
    note = page.select_one(".cv-rows")
    assert (note.text, note["data-rest"]) == ("… and 4,990 more rows", "… and 4,900 more rows")
    assert show(pd.DataFrame({"n_orders": range(50)}), max_rows=10).rest == ""


def test_long_tables_carry_what_they_are_sorted_by():
    frame = pd.DataFrame({"sales": [1234567.25, 1234567.5, np.nan, -3.0] * 3, "customer_id": ["a"] * 12})
    frame["tier"] = pd.Categorical(["gold", "platinum", None, "lead"] * 3, list(labels("tier")), ordered=True)
    frame["chosen"] = True
    cells = BeautifulSoup(show(frame)._repr_html_(), "html.parser").tbody("tr")
    keys = [[cell.get("data-sort", "") for cell in row("td")] for row in cells[:4]]
    assert keys == [["1", "", "1", ""], ["2", "", "0", ""], ["", "", "", ""], ["0", "", "3", ""]]
    assert show(frame.head(5)).keys == ()
    assert "data-sort" not in show(frame.head(5))._repr_html_()


def test_the_last_digits_of_a_computation_change_no_page():
    values = np.linspace(-3, 17, 12) ** 3
    shown = [show(pd.DataFrame({"sales": values * noise}))._repr_html_() for noise in (1, 1 + 1e-12)]
    assert shown[0] == shown[1]


def test_headings_are_marked_as_such_and_known_ones_name_their_column():
    page = Page(show(pd.DataFrame({"p_alive": [0.5], "own": ["b"]}))._repr_html_())
    assert [head["scope"] for head in page.heads] == ["col", "col"]
    assert [head.get("data-column") for head in page.heads] == ["p_alive", None]


def test_a_sentence_links_to_a_page_of_the_pack():
    linked = Sentence("Win <them> back", "05_churn_stages.html#part-2")
    assert repr(linked) == "Win <them> back"
    page = BeautifulSoup(linked._repr_html_(), "html.parser")
    assert (page.a["href"], page.a.text) == ("05_churn_stages.html#part-2", "Win <them> back")


def test_the_page_and_the_text_are_the_same_each_time():
    frame = pd.DataFrame({"tier": ["gold"], "sales": [5.0]}, index=[7])
    assert show(frame)._repr_html_() == show(frame.copy())._repr_html_()
    assert repr(show(frame)) == "Tier      Sales\nB · Gold      5"


def test_the_text_is_aligned_where_chinese_characters_take_two_places():
    shown = show(pd.DataFrame({"tier": ["gold", "x"], "n_orders": [5, 12345]}), "zh")
    assert repr(shown).splitlines() == ["客户层级    订单数", "B 黄金客户       5", "x           12,345"]


def test_control_characters_and_line_ends_do_not_leave_their_cell():
    assert cells(pd.DataFrame({"customer_id": ["a\nb\x1b[2J\tc"]})) == [["a b [2J c"]]


def test_columns_of_one_name_are_both_shown():
    frame = pd.DataFrame([[1, 2]], columns=["n_orders", "n_orders"])
    assert cells(frame) == [["1", "2"]]


def test_a_table_without_columns_is_shown_as_empty():
    assert repr(show(pd.DataFrame())) == "No rows."


def test_showing_leaves_the_table_alone():
    frame = pd.DataFrame({"tier": ["gold"], "sales": [5.0]})
    before = frame.copy()
    show(frame, "zh", currency="CNY")
    pd.testing.assert_frame_equal(frame, before)


def test_a_sentence_puts_its_values_in():
    sentence = say("tables.more_rows", "zh", n=1234)
    assert repr(sentence) == "……另有 1,234 行未显示"
    assert sentence._repr_html_() == '<p class="cv-say">……另有 1,234 行未显示</p>'


def test_a_sentence_escapes_its_values():
    page = Page(Sentence(EVIL)._repr_html_())
    assert (page.tags, page.texts) == (["p"], [EVIL])


def test_the_glossary_explains_each_known_column_in_order():
    table = glossary(["sales", "shoe_size", "p_alive"], "zh")
    assert list(table.columns) == ["column", "help"]
    assert table["column"].tolist() == ["销售额", "活跃概率"]
    assert glossary([]).empty


def test_a_saved_table_comes_back_as_it_was(tmp_path):
    frame = pd.DataFrame({"customer_id": ["张三", '00"1,2'], "sales": [-1.5, np.nan], "n": [1, 2]})
    save(frame, tmp_path / "new" / "folder", "customers")
    raw = (tmp_path / "new" / "folder" / "customers.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbfcustomer_id,sales,n\n")
    assert b"\r" not in raw
    again = pd.read_csv(tmp_path / "new" / "folder" / "customers.csv", dtype={"customer_id": "str"})
    pd.testing.assert_frame_equal(again, frame)


def test_a_spreadsheet_runs_nothing_of_a_saved_table(tmp_path):
    texts = ["=1+1", "+49", "-a", "@x", "\tx", "\r=1", "a=b", "safe\r=2"]
    frame = pd.DataFrame({"=head": texts, "code": pd.Categorical(texts), "sales": [-1.0] * 8, "n": [-1] * 8})
    save(frame, tmp_path, "t")
    with (tmp_path / "t.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["'=head", "code", "sales", "n"]
    assert [row[0] for row in rows[1:]] == ["'=1+1", "'+49", "'-a", "'@x", "'\tx", "'\n'=1", "a=b", "safe\n'=2"]
    assert [row[1] for row in rows[1:]] == [row[0] for row in rows[1:]]
    assert {tuple(row[2:]) for row in rows[1:]} == {("-1.0", "-1")}
    assert frame["=head"].tolist() == texts


def test_no_folder_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(pd.DataFrame({"n": [1]}), "", "t")
    assert list(tmp_path.iterdir()) == []


def test_a_table_without_rows_is_saved_with_its_headings(tmp_path):
    save(pd.DataFrame({"customer_id": pd.Series([], dtype="str"), "sales": []}), tmp_path, "t")
    assert (tmp_path / "t.csv").read_text("utf-8-sig") == "customer_id,sales\n"


def test_a_strategy_speaks_the_language_asked_for():
    english, chinese = strategy_for("stage", "decline"), strategy_for("stage", "decline", "zh")
    assert (english.label, chinese.label) == ("Decline", "衰退期")
    assert english.code == chinese.code == "decline"
    assert "原因" in chinese.goal


@pytest.mark.parametrize("kind", STRATEGY_KINDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_strategy_table_has_a_full_row_for_every_code(kind, language):
    table = strategy_table(kind, language)
    assert list(table.columns) == [kind, "goal", "actions", "offer", "measure_text", "care"]
    assert table[kind].tolist() == list(labels(kind))
    assert table[kind].cat.categories.tolist() == list(labels(kind))
    assert (table.drop(columns=kind).map(len) > 0).all(axis=None)


def test_no_two_groups_get_the_same_advice():
    for kind in STRATEGY_KINDS:
        assert strategy_table(kind)["actions"].is_unique


def test_a_strategy_table_keeps_the_codes_and_order_asked_for():
    assert strategy_table("tier", codes=["lead", "gold"])["tier"].tolist() == ["lead", "gold"]
    assert strategy_table("tier", codes=[]).empty


def test_an_unknown_kind_or_code_names_the_nearest():
    with pytest.raises(UsageError) as kind:
        strategy_table("teir")
    assert (kind.value.code, kind.value.values["nearest"]) == ("unknown_strategy_kind", "tier")
    with pytest.raises(UsageError) as code:
        strategy_for("tier", "golden")
    assert (code.value.code, code.value.values["nearest"]) == ("unknown_strategy_code", "gold")


@pytest.mark.parametrize("language", LANGUAGES)
def test_advice_has_a_card_with_five_lines_for_each_group(language):
    cards = advise("stage", language, codes=["drop", "grow"])
    assert [title for title, _ in cards.groups] == [labels("stage", language)[code] for code in ("drop", "grow")]
    assert {len(items) for _, items in cards.groups} == {5}
    assert cards._repr_html_().count("<dt>") == 10
    assert labels("stage", language)["grow"] in repr(cards)


def test_a_large_table_reads_like_a_small_one(tmp_path, monkeypatch):
    days = pd.to_datetime(["2024-02-29", None, "2023-01-01"])
    frame = pd.DataFrame({"customer_id": ["007", "=1+1", 'a "b"\r\nc'], "sales": [0.1, 12345.678, np.nan], "day": days})
    frame = frame.assign(
        flag=[True, False, True], count=pd.array([1, None, 3], dtype="Int64"), tier=pd.Categorical(["b", "a", None])
    )
    save(frame, tmp_path, "small")
    monkeypatch.setattr(tables, "_LARGE", 1)
    save(frame, tmp_path, "large")
    small, large = (
        pd.read_csv(tmp_path / f"{name}.csv", dtype=str, encoding="utf-8-sig") for name in ("small", "large")
    )
    pd.testing.assert_frame_equal(small, large)
    assert (tmp_path / "large.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    assert large.loc[1, "customer_id"] == "'=1+1"


def test_only_what_is_known_is_shown():
    frame = pd.DataFrame({"customer_id": ["a", "b"], "sales": [1.0, None], "margin": [None, None]})
    assert [column.name for column in show(frame, known_only=True).columns] == ["customer_id", "sales"]
    nobody = show(frame.head(0), known_only=True)
    assert nobody.columns == ()
    assert "<th" not in nobody._repr_html_()
    assert repr(nobody) == text("tables.no_rows", "en")

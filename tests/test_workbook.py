"""The workbook, read back: sheets, formats, charts, the same bytes, and text that stays text; lists followed up."""

from __future__ import annotations

import csv
import datetime as dt
import re
import zipfile

import numpy as np
import openpyxl
import pandas as pd
import pytest

import custvalue as cv
from custvalue import workbook
from custvalue.audiences import AudienceList, AudienceRules, audience_lists, audience_table
from custvalue.campaigns import with_responses
from custvalue.followup import lists_sent
from custvalue.labels import heading, labels
from custvalue.workbook import save_audiences, save_workbook

DAY = dt.date(2025, 12, 31)
HOSTILE = [
    "=1+1",
    '=HYPERLINK("http://x.test","a")',
    "+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(1)",
    "\t=1+1",
    "\r=1+1",
    "{=1+1}",
    "http://x.test/a",
    "mailto:a@x.test",
    "internal:Sheet1!A1",
    "file:///etc/passwd",
    "<script>alert(1)</script>",
    "]]><x/>",
    "&amp;&lt;",
    "_x0041_",
    "\x00\x01\x07",
    "\u202e\u200b=1+1",
    "a\nb",
    "../../etc/passwd",
    "'",
    "12345678901234567890",
    "x" * 40_000,
    " 空 格 ",
]


def shop(n):
    """A scorecard of n invented customers."""
    rng = np.random.default_rng(n)

    def codes(kind):
        return pd.Categorical(rng.choice(list(labels(kind)), n), list(labels(kind)), ordered=True)

    kinds = {kind: codes(kind) for kind in ("segment", "quadrant", "value_class", "tier", "stage", "action")}
    numbers = {
        name: rng.gamma(2, 50, n).round(2) for name in ("sales", "margin", "clv_12m", "value_at_risk", "overdue")
    }
    days = pd.Timestamp(DAY) - pd.to_timedelta(rng.integers(0, 700, n), "D")
    counts = {"n_orders": rng.integers(1, 9, n), "days_since_last": rng.integers(0, 700, n)}
    return pd.DataFrame(
        {
            "customer_id": [f"C{i}" for i in range(n)],
            "last_order": days.astype("datetime64[s]"),
            **counts,
            **numbers,
            **kinds,
        }
    )


@pytest.fixture(scope="module")
def scorecard():
    return shop(400).assign(p_alive=0.25)


@pytest.fixture(scope="module")
def lists(scorecard):
    return audience_lists(audience_table(scorecard), DAY, currency="CNY")


@pytest.fixture(scope="module")
def saved(tmp_path_factory, scorecard, lists):
    """The folder with the workbook of each language, written once."""
    folders = {language: tmp_path_factory.mktemp(language) for language in ("en", "zh")}
    for language, folder in folders.items():
        save_workbook(folder, DAY, scorecard, lists, language=language, currency="CNY")
    return folders


def opened(folder):
    return openpyxl.load_workbook(folder / "custvalue-2025-12.xlsx")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_sheets(saved, scorecard, language):
    book = opened(saved[language])
    assert book.sheetnames == list(labels("sheet", language).values())
    assert [len(sheet._charts) for sheet in book] == [0, 1, 0, 1, 0, 0, 0]
    for code in ("audiences", "scorecard", "glossary"):
        sheet = book[labels("sheet", language)[code]]
        assert sheet.freeze_panes == "B2"
        assert sheet.auto_filter.ref == sheet.dimensions
    tiers = book[labels("sheet", language)["tiers"]]
    assert [cell.value for cell in tiers["A"]][1:5] == list(labels("tier", language).values())
    assert [cell.value for cell in tiers["B"]][1:5] == scorecard["tier"].value_counts(sort=False).tolist()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_held_out_are_struck_out(saved, lists, language):
    sheet = opened(saved[language])[labels("sheet", language)["audiences"]]
    yes = labels("yes_no", language)["yes"]
    (area,) = sheet.conditional_formatting
    (rule,) = area.rules
    column = next(cell.column_letter for cell in sheet[1] if cell.value == heading("held_out", language))
    assert rule.formula == [f'${column}2="{yes}"']
    assert rule.dxf.font.strike
    assert str(area.sqref) == f"A2:{sheet.dimensions.split(':')[1]}"
    assert [cell.value for cell in sheet[column]][1:].count(yes) == lists.lists["held_out"].sum() > 0


def test_long_sheets_are_printed_with_their_headings(saved):
    for name in ("Audiences", "Scorecard", "Glossary"):
        sheet = opened(saved["en"])[name]
        assert sheet.print_title_rows in ("1:1", "$1:$1")
        assert (sheet.page_setup.orientation, sheet.page_setup.fitToHeight) == ("landscape", 0)


def test_the_scorecard_read_back(saved, scorecard):
    found = pd.read_excel(saved["en"] / "custvalue-2025-12.xlsx", "Scorecard", engine="openpyxl").set_index("Customer")
    source = scorecard.set_index("customer_id")
    assert (
        found.index.tolist() == source.sort_values(["clv_12m", "customer_id"], ascending=[False, True]).index.tolist()
    )
    together = found.join(source)
    assert np.allclose(together["Sales (CNY)"], together["sales"])
    assert (pd.to_datetime(together["Last order"]) == together["last_order"]).all()
    assert together["Tier"].tolist() == together["tier"].astype(str).map(labels("tier")).tolist()


def test_numbers_have_their_units(saved):
    sheet = opened(saved["en"])["Scorecard"]
    forms = {sheet.cell(1, cell.column).value: cell.number_format for cell in sheet[2]}
    assert forms["Sales (CNY)"] == "#,##0.00"
    assert forms["Last order"] == "yyyy-mm-dd"
    assert forms["Orders"] == "#,##0"
    assert forms[heading("p_alive")] == "0.0%"


def test_chinese_columns_are_wide_enough(saved):
    sheet = opened(saved["zh"])["客户评分表"]
    places = {cell.value: cell.column_letter for cell in sheet[1]}
    assert sheet.column_dimensions[places["矩阵象限"]].width >= 2 * len("高销售额、高毛利率")


def test_the_same_bytes_twice(tmp_path, scorecard, lists, monkeypatch):
    made = []
    for name in ("a", "b"):
        monkeypatch.setenv("TZ", {"a": "UTC", "b": "Asia/Shanghai"}[name])
        save_workbook(tmp_path / name, DAY, scorecard, lists)
        made.append((tmp_path / name / "custvalue-2025-12.xlsx").read_bytes())
    assert made[0] == made[1]


def test_nothing_in_the_data_becomes_a_formula_a_link_or_a_path(tmp_path):
    bad = shop(len(HOSTILE)).assign(customer_id=HOSTILE)
    table = audience_table(bad, attributes=pd.DataFrame({"customer_id": HOSTILE, "region": HOSTILE}))
    asked = {"all": AudienceList("region is not missing", action="=1+1", channel="=2+2", title={"en": "=3+3"})}
    found = audience_lists(table, DAY, AudienceRules(standard=False, lists=asked, hold_out=0.0), language="en")
    save_workbook(tmp_path, DAY, bad, found)
    save_audiences(found, tmp_path)
    with zipfile.ZipFile(tmp_path / "custvalue-2025-12.xlsx") as parts:
        sheets = [parts.read(name).decode() for name in parts.namelist() if "/sheet" in name and name.endswith(".xml")]
        assert not [name for name in parts.namelist() if "externalLink" in name or "vba" in name.lower()]
    assert not re.search("<f[ >]|<hyperlink", "".join(sheets))
    for sheet in opened(tmp_path):
        assert not [cell for row in sheet.iter_rows() for cell in row if cell.data_type == "f" or cell.hyperlink]
    ids = [cell.value for cell in opened(tmp_path)["Audiences"]["C"]][1:]
    assert len(ids) == len(HOSTILE)
    with (tmp_path / "audience_all.csv").open(encoding="utf-8-sig", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "@", "\t", "\r")) or re.match(r"-\D", cell)]


def test_the_lists_as_files(tmp_path, lists):
    save_audiences(lists, tmp_path, "zh", "CNY")
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == sorted(["audiences.parquet", *(f"audience_{name}.csv" for name in lists.titles)])
    raw = (tmp_path / "audience_win_back.csv").read_bytes()
    assert raw.startswith("\ufeff".encode())
    told = pd.read_csv(tmp_path / "audience_win_back.csv")
    own = lists.lists[lists.lists["audience"] == "win_back"]
    assert told["客户编号"].tolist() == own.loc[~own["held_out"], "customer_id"].tolist()
    assert own["held_out"].sum() > 0
    kept = pd.read_parquet(tmp_path / "audiences.parquet")
    assert kept["held_out"].sum() == lists.summary["n_held_out"].sum()
    assert len(kept) == len(lists.lists)


def test_of_many_customers_the_best_are_shown_and_it_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(workbook, "SCORECARD_ROWS", 50)
    many = shop(120)
    save_workbook(tmp_path, DAY, many, None)
    book = opened(tmp_path)
    shown = [cell.value for cell in book["Scorecard"]["A"]][1:]
    assert shown == many.nlargest(50, "clv_12m")["customer_id"].tolist()
    assert any("50 most valuable of 120" in str(row[0]) for row in book["Summary"].iter_rows(values_only=True))


def test_missing_and_endless_numbers_are_empty_cells(tmp_path):
    odd = shop(3).assign(
        sales=[np.nan, np.inf, 5.0], margin=np.nan, last_order=[pd.NaT, pd.Timestamp("1800-01-01"), DAY]
    )
    odd["last_order"] = pd.to_datetime(odd["last_order"])
    save_workbook(tmp_path, DAY, odd, None)
    found = pd.read_excel(tmp_path / "custvalue-2025-12.xlsx", "Scorecard", engine="openpyxl").set_index("Customer")
    assert found["Sales"].isna().tolist().count(True) == 2
    assert found["Last order"].notna().sum() == 1


@pytest.mark.parametrize("n", [0, 1])
def test_a_workbook_of_hardly_anybody(tmp_path, n):
    few = shop(n)
    save_workbook(tmp_path, DAY, few, audience_lists(audience_table(few), DAY))
    assert opened(tmp_path)["Scorecard"].max_row == n + 1


def test_an_empty_folder_writes_nothing(tmp_path, monkeypatch, scorecard, lists):
    monkeypatch.chdir(tmp_path)
    save_workbook("", DAY, scorecard, lists)
    save_audiences(lists, "")
    assert list(tmp_path.iterdir()) == []


def test_campaigns_are_in_the_summary(tmp_path, scorecard):
    out = np.arange(1000) % 2 == 0
    sent = {"customer_id": [f"C{i}" for i in range(1000)], "campaign": "win_back", "hold_out": out, "responded": ~out}
    sent = with_responses(pd.DataFrame(sent).assign(sent_date=pd.Timestamp("2025-06-01")))
    own = {"campaign": {"win_back": "We miss you"}}
    save_workbook(tmp_path, DAY, scorecard, None, cv.campaign_results(sent), words=own)
    words = [str(cell) for row in opened(tmp_path)["Summary"].iter_rows(values_only=True) for cell in row]
    assert {"We miss you", "Works", "Uplift"} <= set(words)


def packs(root, lists, *months):
    for month in months:
        end = pd.Timestamp(month) + pd.offsets.MonthEnd(0)
        dated = lists.lists.assign(listed_on=end.as_unit("s"))
        save_audiences(type(lists)(dated, lists.summary, lists.titles), root / month / "tables")


def test_last_months_lists_are_found_and_never_later_ones(tmp_path, lists, scorecard):
    packs(tmp_path, lists, "2025-09", "2025-10", "2025-12", "2026-01")
    sent = lists_sent(tmp_path, DAY, scorecard["customer_id"])
    assert sent["sent_date"].unique().tolist() == [pd.Timestamp("2025-10-31")]
    assert sent["hold_out"].sum() == lists.summary["n_held_out"].sum()
    assert set(sent["campaign"]) == set(lists.lists["audience"].astype(str))


@pytest.mark.parametrize("damage", ["cut", "foreign", "empty", "gone", "moved"])
def test_a_report_that_can_not_be_used_is_passed_over(tmp_path, lists, scorecard, damage):
    packs(tmp_path, lists, "2025-09", "2025-11")
    file = tmp_path / "2025-11" / "tables" / "audiences.parquet"
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:500])
    elif damage == "foreign":
        pd.read_parquet(file).assign(customer_id="Z1").to_parquet(file)
    elif damage == "empty":
        file.write_bytes(b"")
    elif damage == "gone":
        file.unlink()
    else:
        (tmp_path / "2025-09" / "tables" / "audiences.parquet").rename(file)
        assert lists_sent(tmp_path, DAY, scorecard["customer_id"]).empty
        return
    sent = lists_sent(tmp_path, DAY, scorecard["customer_id"])
    assert sent["sent_date"].unique().tolist() == [pd.Timestamp("2025-09-30")]


def test_a_known_effect_on_last_months_list_is_found(tmp_path, lists, scorecard):
    """Those contacted buy with chance 0.5, the held-out with 0.1: the report of the next month says that it worked."""
    asked = AudienceRules(standard=False, hold_out=0.3, lists={"all": AudienceList("sales > 0")})
    found = audience_lists(audience_table(scorecard), dt.date(2025, 11, 30), asked)
    packs(tmp_path, found, "2025-11")
    sent = lists_sent(tmp_path, DAY, scorecard["customer_id"])
    chance = np.where(sent["hold_out"], 0.1, 0.5)
    buys = sent[np.random.default_rng(1).random(len(sent)) < chance]
    bought = pd.DataFrame({"customer_id": buys["customer_id"], "order_date": pd.Timestamp("2025-12-10"), "sales": 50.0})
    row = cv.campaign_results(with_responses(sent, bought, DAY)).iloc[0]
    assert row["worked"] == "works"
    assert row["uplift_low"] < 0.4 < row["uplift_high"]


def test_what_was_sent_is_read_with_its_responses(sample, tmp_path, lists):
    settings = cv.load_settings(data=sample)
    orders = cv.read(sample, settings)
    sent = cv.campaigns_sent(cv.read_campaigns(sample, settings, orders), orders, settings)
    assert sent["told_by"].unique().tolist() == ["file"]
    assert sent["segment"].notna().mean() > 0.95
    assert cv.campaigns_sent(None, orders, settings).empty
    assert cv.campaign_results(cv.campaigns_sent(None, orders, settings)).empty
    ids = sorted(cv.purchase_days(orders)["customer_id"].unique())[:400]
    real = lists.lists.assign(customer_id=[ids[int(one[1:])] for one in lists.lists["customer_id"]])
    packs(tmp_path, type(lists)(real, lists.summary, lists.titles), "2025-11")
    followed = cv.lists_followed(tmp_path, orders, ids, settings)
    bought = cv.purchases_since(orders, dt.date(2025, 12, 1))  # the list is made at the end of November 30
    within = bought.loc[bought["order_date"] <= "2025-12-30", "customer_id"]
    assert followed["responded"].astype(bool).tolist() == followed["customer_id"].isin(within).tolist()
    assert followed["responded"].any()
    assert cv.lists_followed("", orders, ids, settings).empty

"""Events and campaigns: contracts, and every row used or set aside."""

# ruff: noqa: E501

from __future__ import annotations

import pandas as pd
import pytest

import custvalue as cv
from custvalue.errors import DataError

ORDERS = "customer_id,order_date,amount\n007,2024-01-05,10\n2,2024-01-31,5\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "orders.csv").write_text(ORDERS)
    return tmp_path


def accounted(contacts, text):
    quality = contacts.quality
    used, aside = (int(quality.loc[quality["status"] == s, "rows"].sum()) for s in ("accepted", "quarantined"))
    assert used == len(contacts.table)
    assert used + aside == text.count("\n") - 1
    return dict(zip(quality["reason"], quality["rows"], strict=True))


def test_events_by_the_rules_of_the_orders(folder):
    text = (
        "用户ID,行为时间,行为类型,类别\n'007,2024年1月5日 10:00,浏览,鞋\n2.0,2024/1/6,搜索,\n9,45298,浏览,\n,2024-01-05,浏览,\n"
        "2,昨天,浏览,\n1.23E+18,2024-01-05,浏览,\n2,2024-01-05\n"
    )
    (folder / "events.csv").write_text(text, "utf-8")
    events = cv.read_events(folder, orders=cv.read(folder))
    assert accounted(events, text) == {
        "known_customer": 2,
        "unknown_customer": 1,
        "no_customer": 1,
        "broken_id": 1,
        "bad_date": 1,
        "ragged": 1,
    }
    assert events.table["customer_id"].tolist() == ["007", "2", "9"]
    assert events.table["event_date"].astype(str).tolist() == ["2024-01-05", "2024-01-06", "2024-01-07"]
    assert events.quarantine["row_number"].tolist() == [4, 5, 6]


def test_campaigns_money_and_flags(folder):
    text = (
        "customer_id,campaign,sent_date,cost,hold_out,responded,revenue,wave\n"
        '007,spring,2024-01-05,"¥1,003.50",0,yes,20,a\n2,spring,2024-01-05,3.50,1,?,,b\n'
    )
    (folder / "campaigns.csv").write_text(text, "utf-8")
    campaigns = cv.read_campaigns(folder, orders=cv.read(folder))
    assert accounted(campaigns, text) == {"known_customer": 2}
    first, second = campaigns.table.to_dict("records")
    assert (first["cost"], first["hold_out"], first["responded"], first["revenue"]) == (1003.5, False, True, 20)
    assert (second["hold_out"], second["wave"]) == (True, "b")
    assert pd.isna(second["responded"])
    assert pd.isna(second["revenue"])


def test_nothing_beside_the_orders_is_none_and_a_missing_column_is_named(folder):
    assert cv.read_events(folder) is None
    assert cv.read_campaigns(folder) is None
    (folder / "events.csv").write_text("customer_id,event\n1,view\n")
    with pytest.raises(DataError, match=r"events\.csv lacks the column event_date"):
        cv.read_events(folder)


def test_the_sample(sample):
    events, campaigns = cv.read_events(sample), cv.read_campaigns(sample)
    for contacts, name in ((events, "events"), (campaigns, "campaigns")):
        assert len(contacts.table) + len(contacts.quarantine) == len(pd.read_csv(sample / f"{name}.csv"))
    assert campaigns.table["hold_out"].dtype == bool
    assert campaigns.table["cost"].sum() == pytest.approx(pd.read_csv(sample / "campaigns.csv")["cost"].sum())

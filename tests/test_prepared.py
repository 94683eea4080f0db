"""Results that notebooks share: the same as without sharing, and never those of other data or settings."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import weakref
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from custvalue.beside import read_attributes, read_campaigns
from custvalue.config import adjusted, load_settings
from custvalue.customers import customer_table
from custvalue.pipeline import backtest_orders, earlier_forecast, forecast_orders, month_before, read, two_months
from custvalue.prepared import VARIABLE, key_of, shared, shared_by, sharing
from custvalue.preparing import put_down


@pytest.fixture(scope="module")
def small(sample, tmp_path_factory):
    """A fifth of the customers of the sample, with the tables beside them."""
    folder = tmp_path_factory.mktemp("shop")
    for path in sample.glob("c*.csv"):
        (folder / path.name).write_bytes(path.read_bytes())
    orders = pd.read_csv(sample / "orders.csv", dtype=str)
    orders[orders["customer_id"].str.endswith(("1", "5"))].to_csv(folder / "orders.csv", index=False)
    return folder


@pytest.fixture
def private(tmp_path):
    folder = tmp_path / "prepared"
    folder.mkdir(mode=0o700)
    return folder


def everything(data) -> dict[str, pd.DataFrame]:
    """All that is shared, and the orders themselves."""
    settings = load_settings(data=data)
    orders = read(data, settings)
    customers = customer_table(orders)
    backtest = backtest_orders(orders, settings)
    forecast = forecast_orders(orders, customers, settings, backtest)
    now, before = two_months(orders, settings, ["clv_12m"])
    return {
        "rows": orders.table.order_by("row_number").execute(),
        "quarantine": orders.quarantine.execute(),
        "quality": orders.quality,
        "customers": customers,
        "pooled": backtest.pooled,
        "tracking": backtest.tracking,
        "forecast": forecast.table,
        "monthly": forecast.monthly,
        "now": now,
        "before": before,
        "attributes": read_attributes(data, settings),
        "campaigns": read_campaigns(data, settings, orders).table,
    }


def made(folder) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.endswith(".lock")}


def test_shared_results_are_those_computed_alone(small, private):
    alone = everything(small)
    with sharing(private):
        first, again = everything(small), everything(small)
    assert {name.split("-")[0] for name in made(private)} == {
        "orders",
        "customers",
        "backtest",
        "forecast",
        "attributes",
        "campaigns",
    }
    for name, table in alone.items():
        assert_frame_equal(table, first[name], obj=name)
        assert_frame_equal(table, again[name], obj=name)


def test_without_a_folder_nothing_is_kept(small):
    assert key_of(read(small)) == ""


def orders_file(folder, rows) -> str:
    path = folder / "orders.csv"
    rows.to_csv(path, index=False)
    return str(path)


def test_other_settings_share_nothing(tmp_path, rows, private):
    path, plain = orders_file(tmp_path, rows), load_settings()
    with sharing(private):
        first = read(path, plain)
        assert read(path, adjusted(plain, as_of="2024-01-31")).facts != first.facts
        assert read(path, plain, whole_file=True) is not first
        assert len([name for name in made(private) if name.startswith("orders")]) == 3


def test_a_changed_file_is_read_again(tmp_path, rows, private):
    path = orders_file(tmp_path, rows)
    with sharing(private):
        first = read(path)
        same_size = (tmp_path / "orders.csv").read_text().replace("5.50", "9.50")
        (tmp_path / "orders.csv").write_text(same_size)
        os.utime(path, ns=(1, 1))
        assert read(path).facts["money_in"] == first.facts["money_in"] + 4


def test_a_changed_copy_of_orders_is_not_the_shared_ones(tmp_path, rows, private):
    with sharing(private):
        orders = read(orders_file(tmp_path, rows))
        all_customers = customer_table(orders)
        one = replace(orders, table=orders.table.filter(orders.table.customer_id == "01"))
        assert key_of(orders)
        assert key_of(one) == ""
        assert len(customer_table(one)) == 1 < len(all_customers)


def test_a_changed_customer_table_gets_a_forecast_of_its_own(small, private):
    settings = load_settings(data=small)
    with sharing(private):
        orders = read(small, settings)
        customers = customer_table(orders)
        whole = forecast_orders(orders, customers, settings)
        few = forecast_orders(orders, customers.head(300), settings)
        assert (len(whole.table), len(few.table)) == (len(customers), 300)
        other = adjusted(settings, lifetime=adjusted(settings.lifetime, discount_rate=0.5))
        assert forecast_orders(orders, customers, other).table["clv_12m"].sum() < whole.table["clv_12m"].sum()


def test_the_forecast_of_the_month_before_keeps_the_model(small, private):
    settings = load_settings(data=small)
    orders = read(small, settings)
    day = month_before(orders.as_of)
    forecast = forecast_orders(orders, customer_table(orders), settings)
    earlier = earlier_forecast(orders, customer_table(orders, day), day, settings, forecast)
    assert earlier.chosen == forecast.chosen
    assert pd.Timestamp(earlier.as_of) == pd.Timestamp(day)


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_a_folder_that_others_may_write_to_is_not_read(private):
    with sharing(private):
        assert shared("x", (1,), lambda: "mine") == "mine"
        assert shared("x", (1,), lambda: "other") == "mine"
        private.chmod(0o777)
        assert shared("x", (1,), lambda: "other") == "other"


def test_a_result_that_can_not_be_kept_is_still_given(private):
    def fails(value, path):
        raise OSError("No space left on device")

    with sharing(private):
        assert shared("x", (1,), lambda: 5, save=fails) == 5
        assert made(private) == set()


def test_a_failure_is_not_kept(private):
    with sharing(private):
        with pytest.raises(ZeroDivisionError):
            shared("x", (1,), lambda: 1 / 0)
        assert shared("x", (1,), lambda: 2) == 2


def test_orders_nobody_shared_share_no_results(private):
    with sharing(private):
        assert shared_by(object(), "x", (), lambda: 1) == 1
        assert made(private) == set()


def test_processes_wait_for_each_other_and_one_computes(private):
    code = (
        "import os, time\nfrom custvalue.prepared import shared\n"
        "print(shared('x', (1,), lambda: (time.sleep(0.5), os.getpid())[1]))"
    )
    command, environment = [sys.executable, "-c", code], os.environ | {VARIABLE: str(private)}
    running = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = [process.communicate(timeout=60)[0].strip() for process in running]
    assert len(set(said)) == 1
    assert said[0] in {str(process.pid) for process in running}


def test_a_data_frame_is_shared_by_nobody(rows, private):
    with sharing(private):
        read(rows)
        assert made(private) == set()


def test_orders_put_down_are_held_by_the_folder_and_not_in_memory(small, private):
    settings = load_settings(data=small)
    orders = read(small, settings)
    held = weakref.ref(orders.table.get_backend())
    rows, columns = orders.table.order_by("row_number").execute(), list(orders.quarantine.columns)
    with sharing(private):
        orders = put_down(str(small), orders, settings)
        gc.collect()
        assert held() is None, "the engine that read the file still holds its rows"
        assert key_of(orders)
        assert_frame_equal(orders.table.order_by("row_number").execute(), rows)
        assert list(orders.quarantine.columns) == columns


def test_orders_that_can_not_be_put_down_are_kept_as_they_are(rows, private):
    data = pd.DataFrame(rows)
    settings = load_settings()
    orders = read(data, settings)
    with sharing(private):
        assert put_down(data, orders, settings) is orders


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the memory of a process is read from /proc")
def test_the_engine_gives_back_the_memory_of_a_query():
    said = subprocess.run([sys.executable, "-c", _LARGE_QUERY], capture_output=True, text=True, check=True).stdout
    length, kept = said.split()[-2:]
    assert length == "32"
    assert int(kept) < 150, f"{kept} MB are kept after the query"


_LARGE_QUERY = """
from pathlib import Path
from custvalue.engine import local_engine

def resident():
    return next(int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if "VmRSS" in line)

engine = local_engine()
engine.raw_sql("create view texts as select md5(i::text) as m from range(4000000) t(i)")
texts = engine.table("texts")
texts.limit(1).execute()
before = resident()
print(len(texts.distinct().limit(5_000_000).m.max().execute()), (resident() - before) // 1024)
"""

"""Earlier months: yardsticks kept and read back, frozen measures, packs good and bad; three months in a row."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import shutil

import numpy as np
import pandas as pd
import pytest

from custvalue import lifetime
from custvalue.config import adjusted, load_settings
from custvalue.customers import customer_table
from custvalue.errors import DataError
from custvalue.history import earlier_month, pack_folders, read_history, remeasured
from custvalue.indices import SCALE_POINTS, Scale, percentile
from custvalue.lifetime.blend import Weights
from custvalue.movement import value_bridge
from custvalue.pipeline import read
from custvalue.review import KINDS, month, save_scorecard
from custvalue.yardsticks import frozen_scores, read_yardsticks, save_yardsticks, score_limits

DAYS = (dt.date(2025, 9, 30), dt.date(2025, 10, 31), dt.date(2025, 11, 30))
LAST = dt.date(2025, 12, 31)


@pytest.fixture(scope="module")
def settings():
    return load_settings(as_of=str(LAST))


@pytest.fixture(scope="module")
def orders(sample, settings):
    """The orders of the first 1,500 customers of the sample."""
    rows = pd.read_csv(sample / "orders.csv", dtype={"customer_id": "str"})
    return read(rows[rows["customer_id"] < "C01500"], settings)


@pytest.fixture(scope="module")
def tables(orders):
    return {day: customer_table(orders, day) for day in (*DAYS, LAST)}


@pytest.fixture(scope="module")
def months(tables, settings):
    """Each month measured by itself, with a blend, the most that is to be kept."""
    blend = adjusted(settings.lifetime, model="blend")
    weights = Weights(0.3, 0.2, 1500, 2)
    made = {}
    for day, customers in tables.items():
        forecast = lifetime.forecast(customers, day, blend, weights=weights)
        made[day] = month(customers, day, settings, None, forecast)
    return made


def publish(folder, found, settings):
    """A pack as the report leaves it, as far as the history reads it."""
    tables = folder / "tables"
    save_scorecard(found.scorecard, tables)
    save_yardsticks(found, tables, settings)
    seal(folder)
    return folder


def seal(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "manifest.json")
    entries = [
        {"file": path.relative_to(folder).as_posix(), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        for path in files
    ]
    (folder / "manifest.json").write_text(json.dumps({"files": entries}), "utf-8")


@pytest.fixture(scope="module")
def packs(tmp_path_factory, months, settings):
    out = tmp_path_factory.mktemp("out")
    for day in (*DAYS, LAST):
        publish(out / f"{day:%Y-%m}", months[day], settings)
    return out


@pytest.fixture
def copy(packs, tmp_path):
    """The packs of September to November, to be spoiled."""
    for day in DAYS:
        shutil.copytree(packs / f"{day:%Y-%m}", tmp_path / f"{day:%Y-%m}")
    return tmp_path


def codes(scorecard, kinds=KINDS):
    return scorecard.set_index("customer_id")[list(kinds)].astype(str)


def test_yardsticks_read_back_exactly(packs, months, tables):
    kept = months[LAST].yardsticks
    found, content = read_yardsticks(packs / "2025-12" / "tables")
    assert content["as_of"] == str(LAST)
    pd.testing.assert_frame_equal(found.cuts, kept.cuts, check_dtype=False, check_exact=True)
    assert found.scales == kept.scales
    assert found.learned.as_dict() == kept.learned.as_dict()
    tables_of = [
        lifetime.forecast(tables[LAST], LAST, learned=learned).table for learned in (found.learned, kept.learned)
    ]
    pd.testing.assert_frame_equal(*tables_of, check_exact=True)


def test_what_was_learned_forecasts_like_the_forecast_itself(tables):
    made = lifetime.forecast(tables[LAST], LAST)
    again = lifetime.forecast(tables[LAST], LAST, learned=made.learned(tables[LAST]))
    pd.testing.assert_frame_equal(made.table, again.table, check_exact=True)
    assert (made.chosen, made.p_alive_model, made.value_is) == (again.chosen, again.p_alive_model, again.value_is)


@pytest.mark.parametrize("model", ["bg_nbd", "mbg_cnbd_k", "nbd"])
def test_every_model_is_kept(tables, model):
    made = lifetime.forecast(tables[LAST], LAST, lifetime.LifetimeRules(model=model))
    kept = lifetime.Learned.from_dict(json.loads(json.dumps(made.learned(tables[LAST]).as_dict())))
    again = lifetime.forecast(tables[LAST], LAST, learned=kept)
    pd.testing.assert_frame_equal(made.table, again.table, check_exact=True)


def test_a_published_month_reads_back_as_it_was(packs, months):
    found = read_history(packs, LAST)
    assert (found.as_of, found.source) == (DAYS[-1], "pack")
    pd.testing.assert_frame_equal(found.scorecard, months[DAYS[-1]].scorecard, check_dtype=False, check_exact=True)
    for kind in KINDS:
        assert list(found.scorecard[kind].cat.categories) == list(months[LAST].scorecard[kind].cat.categories)


def test_the_same_customers_move_nowhere(months, tables, settings):
    """A month on its own yardsticks is itself."""
    now = months[LAST]
    alike = remeasured(now, now, tables[LAST], settings)
    assert (codes(alike) == codes(now.scorecard)).all(axis=None)
    np.testing.assert_allclose(alike["clv_12m"], now.scorecard["clv_12m"], rtol=1e-12)


def test_nobody_moves_because_others_buy_more(months, tables, settings):
    """Every second customer doubles in all money: on frozen yardsticks the others stay where they were."""
    now, customers = months[LAST], tables[LAST].copy()
    others = np.arange(len(customers)) % 2 == 0
    money = ["sales", "margin", "mean_order_value", "sales_12m", "sales_prior_12m", "margin_12m", "repeat_sales"]
    customers.loc[others, money] = customers.loc[others, money].astype(float) * 2
    customers.loc[others, "squares_24m"] = customers.loc[others, "squares_24m"] * 4
    alike = remeasured(now, now, customers, settings)
    anew = month(customers, LAST, settings).scorecard
    was = codes(now.scorecard)
    assert (codes(alike)[~others] == was[~others]).all(axis=None)
    assert (alike.loc[~others, "clv_12m"].to_numpy() == now.scorecard.loc[~others, "clv_12m"].to_numpy()).all()
    moved = (codes(anew)[~others] != was[~others]).any()
    assert moved[["tier", "quadrant", "value_class", "segment", "rfm_group"]].all()
    assert (codes(alike)[others] != was[others]).any()["tier"]


def test_scales_of_many_values_are_right_to_a_twentieth_of_a_point():
    values = pd.Series(np.random.default_rng(3).lognormal(4, 1.5, 50_000))
    scale = Scale.of(values)
    assert len(scale.values) <= SCALE_POINTS
    assert (percentile(values, scale) - percentile(values)).abs().max() <= 100 / SCALE_POINTS
    assert percentile(pd.Series([-1.0, 1e9, np.nan]), scale).round(1).tolist()[:2] == [0.0, 100.0]
    assert percentile(pd.Series([np.nan]), scale).isna().all()


def test_few_values_keep_their_ranks_exactly():
    values = pd.Series([3.0, 1.0, 1.0, np.nan, 7.0])
    pd.testing.assert_series_equal(percentile(values, Scale.of(values)), percentile(values))


def test_frozen_scores_of_the_same_customers_are_their_scores(tables, settings):
    from custvalue.segmentation import rfm_scores

    scores = rfm_scores(tables[LAST], settings.segmentation)
    frozen = frozen_scores(tables[LAST], score_limits(tables[LAST], settings))
    pd.testing.assert_frame_equal(frozen, scores.drop(columns="rfm"), check_dtype=False)


def test_only_months_before_are_seen(packs):
    assert [path.name for path in pack_folders(packs, DAYS[1])] == ["2025-09"]
    assert read_history(packs, DAYS[1]).as_of == DAYS[0]
    assert read_history(packs, dt.date(2025, 12, 15)).as_of == DAYS[-1]
    assert read_history(packs, DAYS[0]) is None


def test_other_names_are_no_packs(tmp_path):
    for name in ("2025-13", "failed-2025-10", ".staging-1", "2025-1", "x2025-10"):
        (tmp_path / name).mkdir()
    (tmp_path / "2025-10").write_text("no folder")
    assert list(pack_folders(tmp_path, LAST)) == []
    assert read_history(tmp_path / "nothing", LAST) is None


def _truncate(folder):
    path = folder / "tables" / "scorecard.parquet"
    path.write_bytes(path.read_bytes()[:-100])


def _edit(name, change):
    """Another content, with a manifest that fits: only its meaning is wrong."""

    def spoil(folder):
        path = folder / "tables" / name
        path.write_text(change(path.read_text("utf-8-sig")), "utf-8")
        seal(folder)

    return spoil


def _change_parameter(content):
    kept = json.loads(content)
    base = kept["forecast"]["models"]["blend"]["base"]
    base["parameters"] = dict.fromkeys(base["parameters"], -1.0)
    return json.dumps(kept)


def _unknown_code(folder):
    path = folder / "tables" / "scorecard.parquet"
    table = pd.read_parquet(path)
    table.loc[0, "tier"] = "diamond"
    table.to_parquet(path)
    seal(folder)


SPOILS = {
    "truncated": (_truncate, "damaged"),
    "changed after": (lambda f: (f / "tables" / "cuts.csv").write_text("kind,cut_of,cut\n"), "damaged"),
    "not finished": (lambda f: (f / "manifest.json").unlink(), "damaged"),
    "no manifest at all": (lambda f: (f / "manifest.json").write_text("{"), "damaged"),
    "empty": (lambda f: [shutil.rmtree(f / "tables"), (f / "manifest.json").unlink()], "damaged"),
    "cut is a word": (_edit("cuts.csv", lambda s: s.replace("tier,gold,", "tier,gold,x")), "damaged"),
    "cut is not finite": (_edit("cuts.csv", lambda s: s + "tier,iron,inf\n"), "damaged"),
    "no cuts": (_edit("cuts.csv", lambda s: "a,b\n1,2\n"), "damaged"),
    "other format": (_edit("yardsticks.json", lambda s: s.replace('"format":1', '"format":99')), "damaged"),
    "bad parameters": (_edit("yardsticks.json", _change_parameter), "damaged"),
    "not json": (_edit("yardsticks.json", lambda s: "[" + s), "damaged"),
    "other day": (_edit("yardsticks.json", lambda s: s.replace("2025-11-30", "2025-10-30")), "damaged"),
    "unknown code": (_unknown_code, "damaged"),
    "older version": (lambda f: [(f / "tables" / "yardsticks.json").unlink(), seal(f)], "older"),
}


@pytest.mark.parametrize("name", SPOILS)
def test_a_spoiled_pack_is_passed_over_for_the_one_before(copy, orders, settings, name):
    spoil, why = SPOILS[name]
    spoil(copy / "2025-11")
    found = earlier_month(orders, settings, history=copy)
    assert found.as_of == DAYS[1]
    assert found.notes == (f"{why}:2025-11", "gap:2025-10")


def test_packs_of_other_settings_or_other_shops_are_passed_over(copy, orders, settings):
    from custvalue.pyramid import PyramidRules

    other = adjusted(settings, pyramid=PyramidRules(by="margin"))
    found = earlier_month(orders, other, history=copy)
    assert found.notes == ("settings:2025-11", "settings:2025-10", "settings:2025-09")
    assert (found.source, found.as_of) == ("orders", DAYS[-1])
    strangers = earlier_month(orders, settings, history=copy, known=pd.Series(["x", "y"]))
    assert strangers.notes == ("foreign:2025-11", "foreign:2025-10", "foreign:2025-09")


def test_a_missing_month_is_stated(copy, orders, settings):
    shutil.rmtree(copy / "2025-11")
    assert earlier_month(orders, settings, history=copy).notes == ("gap:2025-10",)


def test_from_the_pack_or_from_the_orders_the_moves_are_the_same(packs, orders, months, tables, settings):
    now = months[LAST]
    published = earlier_month(orders, settings, history=packs)
    remade = month(tables[DAYS[-1]], DAYS[-1], settings, None, None, None, published.yardsticks)
    assert published.notes == ()
    assert (codes(published.scorecard) == codes(remade.scorecard)).all(axis=None)
    one, other = (remeasured(before, now, tables[LAST], settings) for before in (published, months[DAYS[-1]]))
    assert (codes(one) == codes(other)).all(axis=None)


def test_three_months_in_a_row(packs, months, tables, settings):
    """Each bridge ends where the next begins, and adds up in whole ten-thousandths of money."""
    ends = []
    for earlier, day in zip(DAYS, (*DAYS[1:], LAST), strict=True):
        before = read_history(packs, day, settings)
        assert before.as_of == earlier
        alike = remeasured(before, months[day], tables[day], settings)
        bridge = value_bridge(before.scorecard, alike, months[day].scorecard, before.as_of).set_index("bridge_part")
        whole = (bridge[["clv_12m", "sales_12m", "margin_12m"]] * 10_000).round().astype("int64")
        assert (whole.iloc[:-1].sum() == whole.loc["now"]).all()
        ends.append((whole.loc["before"].tolist(), whole.loc["now"].tolist()))
        new = tables[day]["first_order"] > pd.Timestamp(earlier)
        assert bridge.loc["new", "n_customers"] == new.sum()
        assert bridge.loc["new", "sales_12m"] == pytest.approx(tables[day].loc[new, "sales_12m"].sum())
        assert bridge.loc["yardstick", "sales_12m"] == 0
    assert [end for _, end in ends[:-1]] == [start for start, _ in ends[1:]]


def test_the_same_month_gives_the_same_bytes(months, tables, settings, tmp_path):
    again = month(
        tables[LAST],
        LAST,
        settings,
        None,
        lifetime.forecast(tables[LAST], LAST, learned=months[LAST].yardsticks.learned),
    )
    for name, found in (("one", months[LAST]), ("two", again)):
        save_yardsticks(found, tmp_path / name, settings)
        save_scorecard(found.scorecard, tmp_path / name, "zh")
    for path in sorted((tmp_path / "one").iterdir()):
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name
    save_yardsticks(months[LAST], "", settings)


def test_cuts_of_a_month_freeze_pyramid_and_matrices(packs, months, tables, settings, sample, tmp_path):
    """The file can be put into the data folder as it is."""
    from custvalue.beside import read_cuts

    shutil.copyfile(packs / "2025-12" / "tables" / "cuts.csv", tmp_path / "cuts.csv")
    cuts = read_cuts(tmp_path)
    frozen = month(tables[LAST], LAST, settings, None, lifetime.forecast(tables[LAST], LAST), cuts)
    kinds = ("tier", "quadrant", "value_class")
    assert (codes(frozen.scorecard, kinds) == codes(months[LAST].scorecard, kinds)).all(axis=None)
    limits = [m.yardsticks.cuts.query("kind == 'tier'").reset_index(drop=True) for m in (frozen, months[LAST])]
    pd.testing.assert_frame_equal(*limits)


@pytest.mark.parametrize("n", [1, 3])
def test_a_handful_of_customers_is_kept_and_compared(n, settings, tmp_path):
    rows = pd.DataFrame(
        {
            "customer_id": [str(i) for i in range(n)] * 2,
            "order_date": ["2025-11-05"] * n + ["2025-12-06"] * n,
            "amount": 10.0,
        }
    )
    orders = read(rows, settings)
    customers = customer_table(orders)
    now = month(customers, LAST, settings)
    before = earlier_month(orders, settings)
    assert before.as_of == DAYS[-1]
    save_scorecard(before.scorecard, tmp_path / "2025-11" / "tables")
    save_yardsticks(before, tmp_path / "2025-11" / "tables", settings)
    seal(tmp_path / "2025-11")
    published = earlier_month(orders, settings, history=tmp_path)
    assert (published.source, published.notes) == ("pack", ())
    one, other = (remeasured(found, now, customers, settings) for found in (before, published))
    pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_a_forecast_of_another_day_is_refused(tables, months, settings):
    with pytest.raises(DataError, match="2025-12-31"):
        month(tables[LAST], DAYS[0], settings, yardsticks=months[LAST].yardsticks)

"""Tables of invented shops for the tests of the charts, and the check of the words drawn."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from custvalue import plots
from custvalue.labels import labels

TIERS, STAGES = list(labels("tier")), list(labels("stage"))


def classes(kind, right, top):
    order = list(labels(kind))
    return np.where(top, np.where(right, order[0], order[1]), np.where(right, order[2], order[3]))


def customers(n, seed=1):
    """A shop with few large and many small customers, some returns and a share of one-time buyers."""
    rng = np.random.default_rng(seed)
    sales = rng.lognormal(5, 1.3, n) * np.where(rng.random(n) < 0.01, -0.1, 1)
    table = pd.DataFrame({"sales": sales, "margin_rate": rng.normal(0.3, 0.08, n)})
    table["n_repeats"] = rng.poisson(1.5, n)
    table["p_alive"] = rng.beta(0.8, 0.7, n)
    table["clv_12m"] = table["p_alive"] * table["sales"].clip(lower=0)
    table["overdue"] = rng.lognormal(0, 1.1, n)
    table["stage"] = pd.Categorical(rng.choice(STAGES, n), STAGES, ordered=True)
    table["r_score"], table["f_score"] = rng.integers(1, 6, n), np.minimum(rng.poisson(1.2, n) + 1, 5)
    return table


def equal_customers(n):
    table = customers(n).assign(sales=100.0, margin_rate=0.3, n_repeats=0, p_alive=1.0, clv_12m=50.0, overdue=1.0)
    return table.assign(r_score=3, f_score=1, stage=pd.Categorical(["identify"] * n, STAGES, ordered=True))


def matrix_of(table, kind="quadrant"):
    x, y = ("sales", "margin_rate") if kind == "quadrant" else ("current_value", "potential")
    shown = table.rename(columns={"sales": x, "margin_rate": y})
    if kind == "value_class":
        shown[[x, y]] = shown[[x, y]].rank(pct=True) * 100
    cuts = shown[x].median(), shown[y].median()
    shown[kind] = classes(kind, shown[x] >= cuts[0], shown[y] >= cuts[1])
    value = "sales" if kind == "quadrant" else "margin_12m"
    shown["margin_12m"] = table["sales"] * 0.3
    return SimpleNamespace(table=shown, x=x, y=y, x_cut=cuts[0], y_cut=cuts[1], value=value)


def moves_of(n):
    """Moves between all cells of the value matrix."""
    pairs = pd.DataFrame(itertools.product(labels("value_class"), repeat=2), columns=["from_code", "to_code"])
    return pairs.assign(kind="value_class", n_customers=np.arange(1, 17) * n)


def curve_of(values):
    ranked = np.sort(values)[::-1]
    share = np.arange(1, len(ranked) + 1) / len(ranked)
    return pd.DataFrame({"share_customers": share, "share_value": ranked.cumsum() / ranked.sum()})


def profile_of(codes, by, counts, value):
    counts, value = np.array(counts, float), np.array(value, float)
    return pd.DataFrame(
        {
            by: codes,
            "n_customers": counts.astype(int),
            "share_customers": counts / counts.sum(),
            "share_sales": value / value.sum(),
            "share_value": value / value.sum(),
            "value_at_risk": value / 3,
        }
    )


def months(n, start="2023-02-01"):
    rng = np.random.default_rng(2)
    month = pd.date_range(start, periods=n, freq="MS")
    sales, buyers = rng.uniform(2e5, 1.5e6, n), rng.integers(800, 1500, n)
    table = pd.DataFrame({"month": month, "sales": sales, "n_customers": buyers, "n_orders": buyers * 2})
    return table.assign(month_end=month + pd.offsets.MonthEnd(0), expected_orders=buyers * 1.1, clv=sales / 3)


QUALITY = pd.DataFrame(
    {
        "status": ["accepted", "accepted", *["quarantined"] * 4],
        "reason": ["purchased", "returned", "no_customer", "duplicate", "bad_date", "impossible_date"],
        "rows": [397_884, 8_905, 135_080, 5_268, 12, 1],
    }
)
SCORES = pd.DataFrame(
    {
        "model": ["bg_nbd", "mbg_nbd", "pareto_nbd", "past_rate", "rate_if_active", "zero"],
        "forecast": [1654.3, 1577.1, 1665.6, 2930.3, 1434.1, 0.0],
        "actual": 1882,
        "bias": [-0.121, -0.162, -0.115, 0.557, -0.238, -1.0],
        "mae": [0.785, 0.765, 0.755, 1.024, 0.767, 0.799],
        "chosen": [False, False, True, False, False, False],
    }
)
CENTRES = pd.DataFrame(
    {
        "cluster": list("1234"),
        "n_customers": [120, 830, 1450, 2600],
        "days_since_last": [12.0, 45.0, 160.0, 420.0],
        "n_orders": [31.0, 9.0, 3.0, 1.0],
        "sales": [48_200.0, 9_310.5, 1_204.0, 98.0],
        "mean_order_value": [1_550.0, 1_010.0, 400.0, 98.0],
    }
)


def calls_of(by_stage):
    """Stages scored: each with another share, nobody to judge in a stage without customers."""
    says = ["order", "order", "higher_sales", "order_in_time", "no_order", "no_order"]
    share = np.where(by_stage > 0, np.linspace(0.3, 1, 6), np.nan)
    table = pd.DataFrame({"stage": STAGES, "expectation": says, "n_judged": by_stage, "share_confirmed": share})
    return table.assign(share_of_all=np.linspace(0.95, 0, 6))


def history_of(n_months):
    days = pd.date_range("2023-01-05", periods=30 * n_months, freq="D")
    since = np.arange(len(days)) % 23
    return pd.DataFrame({"day": days, "orders_of_day": since == 0, "p_alive": 0.99**since})


def survival_of(n):
    """A curve for each layer; where there are few customers one of them alone, seen for a day."""
    days = np.arange(0, 200, 10) if n > 100 else np.arange(2)
    rates = {tier: 1 / (20 * (i + 1)) for i, tier in enumerate(TIERS)}
    parts = []
    for tier, rate in rates.items():
        share = 1 - np.exp(-days * rate)
        bounds = {"again_low": share * 0.9, "again_high": np.minimum(share * 1.1, 1)}
        parts.append(pd.DataFrame({"tier": tier, "within_days": days, "share_again": share, **bounds}))
    table = pd.concat(parts)
    return table.assign(tier=pd.Categorical(table["tier"], TIERS, ordered=True))


WEEKS = pd.DataFrame({"week_end": pd.date_range("2023-01-01", periods=78, freq="7D")})
WEEKS = WEEKS.assign(
    period=np.where(np.arange(78) < 39, "fitted", "held_out"), actual=np.arange(78) % 11 * 30 + 200,
    expected_orders=360 - np.arange(78.0), actual_total=np.arange(78) * 350, expected_total=np.arange(78) * 330.0,
)  # fmt: skip
FREQUENCY = pd.DataFrame({"n_repeats": range(8), "n_customers": [1411, 439, 214, 100, 62, 38, 29, 64]})
FREQUENCY = FREQUENCY.assign(forecast_mean=np.arange(8) * 0.7 + 0.1, actual_mean=np.arange(8) * 0.8)
BINS = pd.DataFrame({"mean_p": np.arange(0.05, 1, 0.1), "n_customers": [1411, 439, 214, 100, 62, 38, 29, 14, 9, 1]})
BINS = BINS.assign(share_bought=BINS["mean_p"] ** 1.1, share_low=BINS["mean_p"] * 0.8, share_high=1.0)
TENTHS = pd.DataFrame({"decile": range(1, 11), "share_orders": np.arange(10, 0, -1) / 55})
TENTHS = TENTHS.assign(lift=TENTHS["share_orders"] * 10)
CELLS = pd.DataFrame([(x, w, x / (1 + w)) for x in range(12) for w in range(0, 48, 4)])
CELLS.columns = ["n_repeats", "weeks_since_last", "expected_orders"]
CELLS = CELLS.assign(expected_orders=CELLS["expected_orders"].where(CELLS["n_repeats"] > 0))


def all_charts(table, n_months=30):
    """Each chart with tables of one shop: name -> function of language, currency, ax."""
    n = len(table)
    by_stage = table["stage"].value_counts().reindex(STAGES, fill_value=0).to_numpy()
    tiers = profile_of(TIERS, "tier", [0, 0, 1, n], [40, 25, 20, 15])
    stages = profile_of(STAGES, "stage", by_stage, by_stage * 5e4)
    moves = pd.DataFrame(np.diag(by_stage) + np.eye(6, k=1) * 7, index=STAGES, columns=STAGES)
    series = months(n_months)
    return {
        "plot_calls": lambda **o: plots.plot_calls(calls_of(by_stage), **o),
        "plot_by_frequency": lambda **o: plots.plot_by_frequency(FREQUENCY, **o),
        "plot_frequency_recency": lambda **o: plots.plot_frequency_recency(CELLS, **o),
        "plot_lift": lambda **o: plots.plot_lift(TENTHS, **o),
        "plot_reliability": lambda **o: plots.plot_reliability(BINS, **o),
        "plot_tracking": lambda **o: plots.plot_tracking(WEEKS, **o),
        "plot_alive": lambda **o: plots.plot_alive(table, **o),
        "plot_clusters": lambda **o: plots.plot_clusters(CENTRES, **o),
        "plot_forecast": lambda **o: plots.plot_forecast(series.tail(12), **o),
        "plot_groups": lambda **o: plots.plot_groups(stages, "stage", **o),
        "plot_holdout": lambda **o: plots.plot_holdout(SCORES, **o),
        "plot_lorenz": lambda **o: plots.plot_lorenz(curve_of(table["sales"].to_numpy()), 0.612, **o),
        "plot_matrix": lambda **o: plots.plot_matrix(matrix_of(table), **o),
        "plot_matrix_moves": lambda **o: plots.plot_matrix_moves(moves_of(n), **o),
        "plot_months": lambda **o: plots.plot_months(series, **o),
        "plot_movement": lambda **o: plots.plot_movement(moves, "stage", **o),
        "plot_pyramid": lambda **o: plots.plot_pyramid(tiers, **o),
        "plot_quality": lambda **o: plots.plot_quality(QUALITY, **o),
        "plot_rfm": lambda **o: plots.plot_rfm(table, **o),
        "plot_rhythm": lambda **o: plots.plot_rhythm(table, **o),
        "plot_stages": lambda **o: plots.plot_stages(stages, **o),
        "plot_history": lambda **o: plots.plot_history(history_of(n_months), "C00042", **o),
        "plot_survival": lambda **o: plots.plot_survival(survival_of(n), "tier", **o),
        "plot_value_curve": lambda **o: plots.plot_value_curve(table, **o),
    }


def words_drawn(figure):
    """The texts that are really drawn, with their places; ticks outside the limits are not."""
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    hidden = set()
    for axes in figure.findobj(matplotlib.axes.Axes):
        for axis in (axes.xaxis, axes.yaxis):
            drawn = axis._update_ticks() if axes.axison else []
            ticks = [tick for tick in axis.get_major_ticks() + axis.get_minor_ticks() if tick not in drawn]
            hidden |= {id(label) for tick in ticks for label in (tick.label1, tick.label2)}
            hidden |= set() if axes.axison else {id(axis.label), id(axis.offsetText)}
    shown = [t for t in figure.findobj(Text) if t.get_visible() and t.get_text().strip() and id(t) not in hidden]
    return [(t.get_text(), t.get_window_extent(renderer)) for t in shown]


def check_words(ax):
    """All inside the picture, no two on each other; the words."""
    figure = ax.figure
    found = words_drawn(figure)
    for words, box in found:
        inside = box.x0 >= -1 and box.y0 >= -1 and box.x1 <= figure.bbox.x1 + 1 and box.y1 <= figure.bbox.y1 + 1
        assert inside, f"clipped: {words!r} {box}"
    for (one, box), (other, place) in itertools.combinations(found, 2):
        both = Bbox.intersection(box, place)
        assert both is None or min(both.width, both.height) < 2, f"{one!r} on {other!r}"
    return [words for words, _ in found]

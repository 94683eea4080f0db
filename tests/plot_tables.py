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
from custvalue.positioning import perceptual_map
from custvalue.segmentation import rfm_map

TIERS, STAGES = list(labels("tier")), list(labels("stage"))

WHAT_IF = pd.DataFrame(
    {
        "retention_change": [-0.1, -0.05, 0.0, 0.05, 0.1],
        "value": [4_978_163.0, 5_542_816.0, 6_188_460.0, 6_948_949.0, np.nan],
        "value_change": [-1_210_297.0, -645_644.0, 0.0, 760_489.0, np.nan],
    }
)

GAME = pd.DataFrame(
    {
        "team": ["red", "platinum_first", "all_equal", "Table 7"],
        "expected_value": [38_763.6, 6_979.8, -8_215.6, 120.0],
        "value_low": [22_911.0, -2_260.0, -8_630.0, -4_000.0],
        "value_high": [56_533.0, 16_508.0, -7_861.0, 4_000.0],
    }
)


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


def bridge_of(n):
    """From last month's value to this month's, of a shop of n customers."""
    steps = [90.0 * n, 4.0 * n, 2.5 * n, 6.0 * n, -9.0 * n, -0.5 * n, 0.0, 0.7 * n, 93.7 * n]
    return pd.DataFrame({"bridge_part": list(labels("bridge_part")), "clv_12m": steps})


def map_of(n):
    """A shop of seven segments that lean towards some of nine categories."""
    rng = np.random.default_rng(4)
    segment = rng.integers(0, 7, n)
    category = np.where(rng.random(n) < 0.25, segment, rng.integers(0, 9, n))
    names = np.array(["womenswear", "menswear", "cosmetics", "garden", "food", "sports", "toys", "shoes", "phones"])
    table = pd.DataFrame({"segment": np.array(list(labels("segment")))[segment], "main_category": names[category]})
    return perceptual_map(table)


def rungs_of(n):
    """The relation ladder of a shop of n customers."""
    shares = np.array([0.01, 0.39, 0.5, 0.1])
    table = pd.DataFrame({"rung": list(labels("rung")), "n_customers": (shares * n).astype(int)})
    went_on = [0.99, 0.606, 0.155, np.nan]
    return table.assign(share_customers=shares, share_sales_12m=[0, 0.07, 0.68, 0.25], went_on=went_on)


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
        "traits": ["recent frequent high_spend", "middling", "seldom low_spend", "silent seldom low_spend"],
        "n_customers": [120, 830, 1450, 2600],
        "days_since_last": [12.0, 45.0, 160.0, 420.0],
        "n_orders": [31.0, 9.0, 3.0, 1.0],
        "sales": [48_200.0, 9_310.5, 1_204.0, 98.0],
        "mean_order_value": [1_550.0, 1_010.0, 400.0, 98.0],
    }
)

EVIDENCE = pd.DataFrame(
    {
        "n_clusters": range(2, 9),
        "silhouette": [0.48, 0.38, 0.41, 0.36, 0.36, 0.31, 0.31],
        "silhouette_chance": [0.40, 0.31, 0.31, 0.30, 0.29, 0.28, 0.27],
        "stability": [0.98, 0.91, 0.91, 0.84, 0.90, 0.77, 0.72],
        "chosen": [False, False, True, False, False, False, False],
    }
)


def places_of(table):
    """Where the named groups stand for customers with R and F scores, and the F score for M too."""
    scores = table[["r_score", "f_score"]].assign(m_score=table["f_score"], customer_id=table.index.astype(str))
    return rfm_map(scores)


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


SHELVES = pd.DataFrame([(f"category {i}", band, 40 - i) for i in range(24) for band in ("low", "mid", "high")])
SHELVES.columns = ["category", "price_band", "n_customers"]
PAIRS = pd.DataFrame(itertools.permutations(["womenswear", "cosmetics", "small kitchen appliances", "kids"], 2))
PAIRS = PAIRS.set_axis(["category", "other_category"], axis=1).assign(n_buyers=90, lift_beyond=1.34, sure_pair=False)
ORDERING = pd.DataFrame({"e_level": list(labels("e_level")), "n_customers": [9, 0, 1, 1_234, 5, 5]})
ORDERING = ORDERING.assign(share_ordering=np.linspace(0, 1, 6), ordering_low=0.1, ordering_high=np.linspace(0.2, 1, 6))


def campaigns_of(n):
    """Results of campaigns: one that works, an open one, one that does harm, and one with nobody held out."""
    codes = ["spring_mailing", "a rather long name of an evening", "autumn", "none held out"]
    uplift = np.array([0.04, 0.01, -0.03, np.nan])
    worked = ["works", "open", "harms", "no_hold_out"]
    rates = {"response_rate": [0.09, 0.05, 0.02, 0.3], "response_low": [0.07, 0.03, 0.0, 0.2]}
    rates |= {"response_high": [0.11, 0.08, 0.05, 0.4], "response_rate_out": [0.05, 0.04, 0.05, np.nan]}
    ranges = {"uplift": uplift, "uplift_low": uplift - 0.02, "uplift_high": uplift + 0.02}
    return pd.DataFrame({"campaign": codes, "worked": worked, "n_sent": n, "n_held_out": n // 10, **rates, **ranges})


def all_charts(table, n_months=30):
    """Each chart with tables of one shop: name -> function of language, currency, ax."""
    n = len(table)
    by_stage = table["stage"].value_counts().reindex(STAGES, fill_value=0).to_numpy()
    tiers = profile_of(TIERS, "tier", [0, 0, 1, n], [40, 25, 20, 15])
    stages = profile_of(STAGES, "stage", by_stage, by_stage * 5e4)
    moves = pd.DataFrame(np.diag(by_stage) + np.eye(6, k=1) * 7, index=STAGES, columns=STAGES)
    series = months(n_months)
    return {
        "plot_game": lambda **o: plots.plot_game(GAME, **o),
        "plot_calls": lambda **o: plots.plot_calls(calls_of(by_stage), **o),
        "plot_bridge": lambda **o: plots.plot_bridge(bridge_of(n), **o),
        "plot_browsing": lambda **o: plots.plot_browsing(SHELVES, **o),
        "plot_ordering": lambda **o: plots.plot_ordering(ORDERING, "e_level", **o),
        "plot_pairs": lambda **o: plots.plot_pairs(PAIRS, **o),
        "plot_by_frequency": lambda **o: plots.plot_by_frequency(FREQUENCY, **o),
        "plot_frequency_recency": lambda **o: plots.plot_frequency_recency(CELLS, **o),
        "plot_ladder": lambda **o: plots.plot_ladder(rungs_of(n), **o),
        "plot_lift": lambda **o: plots.plot_lift(TENTHS, **o),
        "plot_responses": lambda **o: plots.plot_responses(campaigns_of(n), **o),
        "plot_uplift": lambda **o: plots.plot_uplift(campaigns_of(n), **o),
        "plot_reliability": lambda **o: plots.plot_reliability(BINS, **o),
        "plot_tracking": lambda **o: plots.plot_tracking(WEEKS, **o),
        "plot_alive": lambda **o: plots.plot_alive(table, **o),
        "plot_cluster_evidence": lambda **o: plots.plot_cluster_evidence(EVIDENCE, **o),
        "plot_clusters": lambda **o: plots.plot_clusters(CENTRES, **o),
        "plot_forecast": lambda **o: plots.plot_forecast(series.tail(12), **o),
        "plot_groups": lambda **o: plots.plot_groups(stages, "stage", **o),
        "plot_holdout": lambda **o: plots.plot_holdout(SCORES, **o),
        "plot_lorenz": lambda **o: plots.plot_lorenz(curve_of(table["sales"].to_numpy()), 0.612, **o),
        "plot_map": lambda **o: plots.plot_map(map_of(n), **o),
        "plot_matrix": lambda **o: plots.plot_matrix(matrix_of(table), **o),
        "plot_matrix_moves": lambda **o: plots.plot_matrix_moves(moves_of(n), **o),
        "plot_months": lambda **o: plots.plot_months(series, **o),
        "plot_movement": lambda **o: plots.plot_movement(moves, "stage", **o),
        "plot_pyramid": lambda **o: plots.plot_pyramid(tiers, **o),
        "plot_quality": lambda **o: plots.plot_quality(QUALITY, **o),
        "plot_rfm": lambda **o: plots.plot_rfm(table, **o),
        "plot_rfm_groups": lambda **o: plots.plot_rfm_groups(places_of(table), **o),
        "plot_rhythm": lambda **o: plots.plot_rhythm(table, **o),
        "plot_stages": lambda **o: plots.plot_stages(stages, **o),
        "plot_history": lambda **o: plots.plot_history(history_of(n_months), "C00042", **o),
        "plot_survival": lambda **o: plots.plot_survival(survival_of(n), "tier", **o),
        "plot_what_if": lambda **o: plots.plot_what_if(WHAT_IF, **o),
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

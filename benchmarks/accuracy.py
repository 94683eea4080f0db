"""How near the forecasts come to what customers did, on real and simulated data: the tables of ACCURACY.md.

``python benchmarks/accuracy.py [DATA]`` prints, in Markdown, the backtests of the sample, of CDNOW and Online Retail
(read from the folder DATA, ``../shared/data`` beside the checkout; left out where they are not), of simulated
customers,
and how well P(alive) is calibrated where the truth is known. Default settings everywhere.
"""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path

import numpy as np
import pandas as pd

import custvalue as cv
from custvalue.config import load_settings
from custvalue.lifetime import Backtest, backtest
from custvalue.lifetime.scores import reliability_table

ROOT = Path(__file__).parent.parent
MEASURES = {"bias": "+.1%", "mae": ".3f", "rmse": ".3f", "brier": ".4f", "auc": ".3f", "spearman": ".3f"}
END = dt.date(2024, 6, 30)


def markdown(table: pd.DataFrame) -> str:
    lines = [table.columns, ["---"] * table.shape[1], *table.astype(str).to_numpy()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def shown(found: Backtest) -> str:
    """The measures of each model at the newest cut-off; the chosen one in bold."""
    table = found.scores[["model", *MEASURES, "top_decile_share"]].astype({"model": "str"})
    for name, form in (MEASURES | {"top_decile_share": ".1%"}).items():
        table[name] = [f"{value:{form}}" if np.isfinite(value) else "–" for value in table[name]]
    table["model"] = np.where(found.scores["chosen"], "**" + table["model"] + "**", table["model"])
    return markdown(table)


def report(title: str, found: Backtest) -> None:
    row, verdict = found.scores.iloc[0], found.verdict
    print(f"\n### {title}\n\nCut-off {found.cutoff}, {(found.as_of - found.cutoff).days} days held out: ", end="")
    print(f"{row['n_customers']:,} customers, {row['actual']:,.0f} orders ({row['n_new']:,} new customers apart).\n")
    print(shown(found))
    weights = getattr(found.fitted.get("blend"), "weights", None)
    print(f"\nChosen: {found.chosen} ({found.why}); verdict: {verdict['code']}", end="")
    print(f"; blend: {weights.orders:.3f} of the past rate, {weights.buys:.3f} of the NBD." if weights else ".")


def cdnow(folder: Path, name: str) -> pd.DataFrame:
    names = ["master", "customer_id", "order_date", "cds", "value"]
    names = names if name == "sample" else names[1:]
    rows = pd.read_csv(folder / f"cdnow/CDNOW_{name}.txt", sep=r"\s+", header=None, names=names, dtype=str)
    rows = rows[rows["order_date"].str.isdigit()]
    return rows.assign(order_date=pd.to_datetime(rows["order_date"]))[["customer_id", "order_date"]]


def online_retail(folder: Path) -> pd.DataFrame:
    rows = pd.read_csv(folder / "online_retail/online_retail.csv.gz", dtype={"CustomerID": str})
    rows = rows[rows["CustomerID"].notna() & (rows["Quantity"] > 0) & (rows["UnitPrice"] > 0)]
    days = pd.to_datetime(rows["InvoiceDate"]).dt.normalize()
    return pd.DataFrame({"customer_id": rows["CustomerID"], "order_date": days}).drop_duplicates()


def simulated(kind: str, k: int, n: int, seed: int, days: int = 730) -> pd.DataFrame:
    """Purchase days of customers who came within ``days`` and leave as Pareto/NBD or MBG/NBD says, Erlang-k spacing."""
    rng, rows = np.random.default_rng(seed), []
    for i in range(n):
        start = rng.integers(0, days)
        rate, drop = rng.gamma(0.6 if kind == "pareto" else 2.0, 1 / 8) / 7, rng.beta(0.8, 2.5)
        life = rng.exponential(140 / rng.gamma(0.9, 1.0)) if kind == "pareto" else np.inf
        at, left = 0.0, kind == "mbg" and rng.random() < drop
        rows.append((i, start))
        while not left and rate > 1e-9:
            at += rng.gamma(k, 1 / (k * rate))
            if at > min(life, days - start):
                break
            rows.append((i, start + int(np.ceil(at))))
            left = kind == "mbg" and rng.random() < drop
    table = pd.DataFrame(rows, columns=["customer_id", "day"])
    dates = pd.Timestamp(END) - pd.to_timedelta(days - table["day"], unit="D")
    return table.assign(customer_id=table["customer_id"].astype(str), order_date=dates)


def regular_buyers(n: int = 3000, seeds: int = 2) -> None:
    """Error of the model for regular buyers against Pareto/NBD and MBG/NBD, means over portfolios."""
    print("\n### Regular buyers: simulated Erlang-2 spacing, 180 days held out\n")
    rows = []
    for kind in ("mbg", "pareto"):
        cut = END - dt.timedelta(180)
        scores = pd.concat(backtest(simulated(kind, 2, n, s), END, cutoff=cut).scores for s in range(seeds))
        means = scores.groupby("model", observed=True)[["mae", "rmse", "brier"]].mean()
        means["abs_bias"] = scores.assign(off=scores["bias"].abs()).groupby("model", observed=True)["off"].mean()
        for other in ("pareto_nbd", "mbg_nbd"):
            ratio = means.loc["mbg_cnbd_k"] / means.loc[other] - 1
            rows.append([f"leave as {kind}", f"mbg_cnbd_k against {other}", *(f"{ratio[c]:+.1%}" for c in means)])
    print(markdown(pd.DataFrame(rows, columns=["customers", "error of", "mae", "rmse", "brier", "abs_bias"])))


def alive_of_the_sample() -> None:
    """Forecast P(alive) against who is alive, by tenths."""
    orders = cv.read(ROOT / "data/sample")
    table = cv.forecast_orders(orders, cv.customer_table(orders), load_settings(data=ROOT / "data/sample")).table
    truth = pd.read_csv(ROOT / "data/sample/truth.csv", dtype={"customer_id": str})
    both = table.merge(truth, on="customer_id")
    bins = reliability_table(both["alive"].to_numpy(), both["p_alive"].to_numpy())
    print("\n### P(alive) of the sample against its truth\n")
    rows = [[f"{b.p_low:.1f} - {b.p_high:.1f}", b.n_customers, f"{b.mean_p:.3f}", f"{b.share_bought:.3f}",
             f"{100 * (b.share_bought - b.mean_p):+.1f}"] for b in bins.itertuples()]  # fmt: skip
    print(markdown(pd.DataFrame(rows, columns=["P(alive)", "customers", "mean", "share alive", "points"])))


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT.parent / "shared/data"
    if (folder / "cdnow").is_dir():
        for name in ("sample", "master"):
            days = cdnow(folder, name)
            for cut in (dt.date(1997, 9, 30), dt.date(1997, 12, 31)):
                report(f"CDNOW {name}", backtest(days, dt.date(1998, 6, 30), cutoff=cut))
    if (folder / "online_retail").is_dir():
        days, end = online_retail(folder), dt.date(2011, 12, 9)
        report("Online Retail, last 90 days", backtest(days, end, cutoff=end - dt.timedelta(90)))
        report("Online Retail, 90 days before the autumn", backtest(
            days[days["order_date"] <= "2011-09-10"], dt.date(2011, 9, 10), cutoff=dt.date(2011, 6, 12)))  # fmt: skip
    sample = cv.read(ROOT / "data/sample")
    report("The sample, as a report tests it", cv.backtest_orders(sample, load_settings(data=ROOT / "data/sample")))
    for kind, k in (("pareto", 1), ("mbg", 1)):
        days = simulated(kind, k, 3000, 7)
        report(f"Simulated, leave as {kind}", backtest(days, END, cutoff=END - dt.timedelta(180)))
    regular_buyers()
    alive_of_the_sample()


if __name__ == "__main__":
    main()

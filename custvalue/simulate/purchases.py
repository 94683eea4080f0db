"""Who the customers are and what they buy: the Pareto/NBD process, order lines, returns."""

from __future__ import annotations

import numpy as np
import pandas as pd

from custvalue.simulate.draw import code_of, column_of, dates, names, pick, pick_each
from custvalue.simulate.rules import (
    CATEGORIES,
    CHANNELS,
    HAGGLING,
    LINES_PER_ORDER,
    N_DAYS,
    PRODUCTS_PER_BAND,
    RETURNED,
    TWINS,
    Process,
)

__all__ = ["draw_lines", "draw_orders", "draw_people", "order_table", "with_returns"]


def _draw_tastes(rng: np.random.RandomState, mean_value: np.ndarray) -> np.ndarray:
    """The main category: by popularity, dear ones more often for those who spend much an order."""
    lean = 2.5 * np.log(column_of(CATEGORIES, 1) / 210)
    return pick_each(rng, column_of(CATEGORIES, 0) * (mean_value[:, None] / 390) ** lean)


def draw_people(rng: np.random.RandomState, n: int, process: Process) -> pd.DataFrame:
    """One row per customer in the order of joining: the truth about him, times in days since the first day.

    ``worth`` ranks customers by what they would spend in three years, from -1.7 to 1.7.
    """
    joined = np.sort(N_DAYS * rng.uniform(size=n) ** 1.4)
    rate = rng.gamma(process.r, 1 / process.alpha, n)
    churn = rng.gamma(process.s, 1 / process.beta, n)
    lost = joined + 7 * rng.standard_exponential(n) / churn
    mean_value = process.p / rng.gamma(process.q, 1 / process.v, n)
    worth = rate / churn * -np.expm1(-churn * N_DAYS / 7) * mean_value
    return pd.DataFrame(
        {
            "joined": joined,
            "rate": rate,
            "churn": churn,
            "leaves": np.minimum(lost, N_DAYS),
            "alive": (lost >= N_DAYS).astype(int),
            "mean_value": mean_value,
            "worth": 3.4 * (worth.argsort().argsort() + 0.5) / n - 1.7,
            "taste": _draw_tastes(rng, mean_value),
            "focus": np.where(rng.uniform(size=n) < 0.25, 1.0, rng.uniform(0.4, 0.85, n)),
            "haggles": rng.beta(1.6, 1.6, n),
            "channel": pick(rng, CHANNELS, n),
            "influence": rng.gamma(0.3, 1 / 0.3, n),
        }
    )


def draw_orders(rng: np.random.RandomState, people: pd.DataFrame, process: Process) -> pd.DataFrame:
    """One row per order in the order of time: who, time, day, cents, channel.

    The first order is the joining; from it to the loss of the customer orders are a Poisson process, drawn as
    its number of orders and, given the number, uniform times.
    """
    stay = (people["leaves"] - people["joined"]).to_numpy()
    everybody = np.arange(len(people))
    again = np.repeat(everybody, rng.poisson(people["rate"].to_numpy() * stay / 7))
    who = np.concatenate([everybody, again])
    later = np.concatenate([np.zeros(len(people)), rng.uniform(size=len(again)) * stay[again]])
    time = people["joined"].to_numpy()[who] + later
    spend = rng.gamma(process.p, 1, len(who)) * people["mean_value"].to_numpy()[who] / process.p
    usual = rng.uniform(size=len(who)) < 0.75
    channel = np.where(usual, people["channel"].to_numpy()[who], pick(rng, CHANNELS, len(who)))
    orders = pd.DataFrame({"who": who, "time": time, "cents": np.rint(100 * spend), "channel": channel})
    orders = orders.sort_values("time", kind="stable", ignore_index=True).astype({"cents": int})
    return orders.assign(day=np.minimum(orders["time"].astype(int), N_DAYS - 1))


def _split(cents: np.ndarray, order: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The cents of each order over its lines by weight; what rounding leaves goes to the first line."""
    part = np.floor(cents[order] * weight / np.bincount(order, weight)[order]).astype(int)
    first = np.flatnonzero(np.diff(order, prepend=-1))
    part[first] += cents - np.bincount(order, part).astype(int)
    return part


def _with_twins(rng: np.random.RandomState, lines: pd.DataFrame) -> pd.DataFrame:
    """Some orders of one line become two equal lines of half the money: equal rows that are both real."""
    alone = ~lines["order"].duplicated(keep=False)
    even = (lines["cents"] % 2 == 0) & (lines["cost"] % 2 == 0)
    share = np.where(alone & even & (rng.uniform(size=len(lines)) < TWINS), 2, 1)
    halved = lines.assign(cents=lines["cents"] // share, cost=lines["cost"] // share)
    return halved.take(np.repeat(np.arange(len(lines)), share)).reset_index(drop=True)


def draw_lines(rng: np.random.RandomState, people: pd.DataFrame, orders: pd.DataFrame) -> pd.DataFrame:
    """One row per order line: order, who, day, channel, category, number of the product, cents, cost.

    A line is in the customer's main category or in one drawn by popularity; its price band follows from its
    amount; its margin rate is the category's, less what the customer haggles off.
    """
    order = np.repeat(np.arange(len(orders)), 1 + pick(rng, LINES_PER_ORDER, len(orders)))
    n, customer = len(order), people.take(orders["who"].to_numpy()[order])
    stays = rng.uniform(size=n) < customer["focus"].to_numpy()
    category = np.where(stays, customer["taste"], pick(rng, column_of(CATEGORIES, 0), n))
    level = column_of(CATEGORIES, 1)[category]
    cents = _split(orders["cents"].to_numpy(), order, level * rng.gamma(4, 1, n))
    band = np.digitize(cents / 100 / level * np.exp(0.2 * rng.standard_normal(n)), [0.65, 1.35])
    margin = column_of(CATEGORIES, 2)[category] + HAGGLING * (0.5 - customer["haggles"].to_numpy())
    margin = np.clip(margin + 0.03 * rng.standard_normal(n), 0.01, 0.75)
    lines = orders[["who", "day", "channel"]].take(order).reset_index(drop=True)
    lines = lines.assign(order=order, category=category, cents=cents)
    lines["number"] = band * PRODUCTS_PER_BAND + rng.randint(PRODUCTS_PER_BAND, size=n)
    return _with_twins(rng, lines.assign(cost=np.rint(cents * (1 - margin)).astype(int)))


def with_returns(rng: np.random.RandomState, lines: pd.DataFrame) -> pd.DataFrame:
    """Lines brought back 2 to 20 days later as rows of their own, money and cost negative."""
    chosen = rng.uniform(size=len(lines)) < RETURNED
    later = lines["day"] + rng.randint(2, 21, size=len(lines))
    back = lines.assign(day=later, cents=-lines["cents"], cost=-lines["cost"])
    back = back[chosen & (later < N_DAYS)]
    return pd.concat([lines, back]).sort_values(["day", "order"], kind="stable", ignore_index=True)


def order_table(lines: pd.DataFrame, ids: pd.Series) -> pd.DataFrame:
    """The order lines under their canonical names: codes, dates and CNY."""
    category = code_of(CATEGORIES, lines["category"])
    return pd.DataFrame(
        {
            "order_id": names("O", lines["order"], 6),
            "customer_id": ids.take(lines["who"]).to_numpy(),
            "order_date": dates(lines["day"]),
            "category": category,
            "product": names(pd.Series(category).str[:3].str.upper() + "-", lines["number"], 3),
            "amount": lines["cents"] / 100,
            "cost": lines["cost"] / 100,
            "channel": code_of(CHANNELS, lines["channel"]),
        }
    )

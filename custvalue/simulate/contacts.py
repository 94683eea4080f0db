"""What the store knows of its customers besides their orders: how they came, what they look at, mailings."""

from __future__ import annotations

import numpy as np
import pandas as pd

from custvalue.simulate.draw import code_of, column_of, dates, pick, pick_each
from custvalue.simulate.rules import (
    AGE_LEANING,
    AGES,
    CAMPAIGNS,
    CATEGORIES,
    EVENTS,
    EVENTS_PER_CUSTOMER,
    FIRST_DAY,
    HOLD_OUT,
    LISTS,
    N_DAYS,
    PRICE_BANDS,
    REGIONS,
    SOURCES,
    SUGGESTIONS_PER_CUSTOMER,
    Campaign,
)

__all__ = ["campaign_table", "customer_table", "event_table"]


def _draw_sources(rng: np.random.RandomState, people: pd.DataFrame, earlier: np.ndarray) -> np.ndarray:
    """How each customer came; valuable ones by referral more often, nobody so before there are customers."""
    odds = column_of(SOURCES, 0) * np.exp(column_of(SOURCES, 1) * people["worth"].to_numpy()[:, None])
    source = pick_each(rng, odds)
    return np.where((code_of(SOURCES, source) == "referral") & (earlier == 0), 0, source)


def _draw_referrers(rng: np.random.RandomState, people: pd.DataFrame, earlier: np.ndarray) -> np.ndarray:
    """For each customer one of those who joined on an earlier day, by their influence."""
    reach = np.concatenate([[0.0], np.cumsum(people["influence"].to_numpy())])
    drawn = np.searchsorted(reach, rng.uniform(size=len(people)) * reach[earlier], side="right") - 1
    return np.clip(drawn, 0, np.maximum(earlier - 1, 0))


def _draw_ages(rng: np.random.RandomState, people: pd.DataFrame) -> np.ndarray:
    lean = np.array([[3 if age in AGE_LEANING.get(taste, ()) else 1 for age in AGES] for taste in CATEGORIES])
    return pick_each(rng, np.array(list(AGES.values())) * lean[people["taste"]])


def _best_year(orders: pd.DataFrame, n: int) -> np.ndarray:
    """The most a customer spent in one of the years counted back from the last day, in CNY."""
    year = (N_DAYS - 1 - orders["day"].to_numpy()) // 365
    sums = np.bincount(orders["who"].to_numpy() * 4 + year, orders["cents"], minlength=4 * n)
    return sums.reshape(n, 4).max(axis=1) / 100


def customer_table(
    rng: np.random.RandomState, people: pd.DataFrame, orders: pd.DataFrame, ids: pd.Series
) -> pd.DataFrame:
    """One row per customer: who he is, how he came and at what cost, his spend everywhere, his consent."""
    n, day = len(people), people["joined"].astype(int).to_numpy()
    earlier = np.searchsorted(day, day, side="left")
    source = _draw_sources(rng, people, earlier)
    referrer = ids.take(_draw_referrers(rng, people, earlier)).reset_index(drop=True)
    cost = column_of(SOURCES, 2)[source] * rng.gamma(8, 1 / 8, n)
    wallet_share = np.clip(rng.beta(1.8, 2.4, n), 0.04, 0.97)
    return pd.DataFrame(
        {
            "customer_id": ids,
            "age_band": code_of(AGES, _draw_ages(rng, people)),
            "region": code_of(REGIONS, pick(rng, REGIONS, n)),
            "acquisition_channel": code_of(SOURCES, source),
            "acquisition_cost": np.rint(cost).astype(int),
            "referrer": referrer.where(code_of(SOURCES, source) == "referral"),
            "category_spend_year": np.ceil(_best_year(orders, n) / wallet_share).astype(int),
            "consent": (rng.uniform(size=n) < 0.86).astype(int),
        }
    )


def _repeated(rng: np.random.RandomState, weight: np.ndarray, mean: float) -> np.ndarray:
    """Positions repeated a random number of times: by weight, on average ``mean`` times."""
    return np.repeat(np.arange(len(weight)), rng.poisson(mean * weight / weight.mean()))


def _daily_life(rng: np.random.RandomState, people: pd.DataFrame) -> pd.DataFrame:
    """Events at any time while a customer is alive: frequent buyers have more, influential ones suggest."""
    stay = (people["leaves"] - people["joined"]).to_numpy()
    busy = stay * np.sqrt(people["rate"].to_numpy()) * rng.gamma(1.2, 1, len(people))
    look = _repeated(rng, busy, EVENTS_PER_CUSTOMER)
    suggest = _repeated(rng, stay * people["influence"].to_numpy(), SUGGESTIONS_PER_CUSTOMER)
    event = code_of(EVENTS, pick(rng, EVENTS, len(look)))
    event = np.concatenate([event, np.repeat("suggestion", len(suggest))])
    who = np.concatenate([look, suggest])
    time = people["joined"].to_numpy()[who] + rng.uniform(size=len(who)) * stay[who]
    stays = rng.uniform(size=len(who)) < 0.8
    category = np.where(stays, people["taste"].to_numpy()[who], pick(rng, column_of(CATEGORIES, 0), len(who)))
    return pd.DataFrame({"who": who, "day": time.astype(int), "event": event, "category": category})


def _new_interests(rng: np.random.RandomState, people: pd.DataFrame, lines: pd.DataFrame) -> pd.DataFrame:
    """Views of a category new to the customer in the two weeks before he first buys in it."""
    joined = people["joined"].astype(int).to_numpy()
    first = lines.drop_duplicates(["who", "category"])[["who", "day", "category"]]
    first = first[first["day"] > joined[first["who"]] + 14]
    first = first.take(np.repeat(np.arange(len(first)), rng.poisson(0.5, len(first))))
    return first.assign(day=first["day"] - rng.randint(1, 15, size=len(first)), event="view")


def event_table(rng: np.random.RandomState, people: pd.DataFrame, lines: pd.DataFrame, ids: pd.Series) -> pd.DataFrame:
    """One row per event, by date; category and price band of views only."""
    events = pd.concat([_daily_life(rng, people), _new_interests(rng, people, lines)])
    events = events.sort_values(["day", "who"], kind="stable", ignore_index=True)
    who, view = events["who"].to_numpy(), events["event"] == "view"
    level = people["mean_value"].to_numpy()[who] / 390 * np.exp(0.35 * rng.standard_normal(len(who)))
    band = pd.Series(code_of(PRICE_BANDS, np.digitize(level, [0.75, 1.2])), dtype="str")
    return pd.DataFrame(
        {
            "customer_id": ids.take(who).to_numpy(),
            "event_date": dates(events["day"]),
            "event": events["event"].astype("str"),
            "category": pd.Series(code_of(CATEGORIES, events["category"]), dtype="str").where(view),
            "price_band": band.where(view),
        }
    )


def _known_on(orders: pd.DataFrame, day: int, n: int) -> pd.DataFrame:
    """What was known of each customer before a day: number of orders, days of silence, sales of 365 days."""
    before = orders[orders["day"] < day]
    year = before[before["day"] >= day - 365]
    last = before.groupby("who")["day"].max().reindex(range(n))
    return pd.DataFrame(
        {
            "n_orders": np.bincount(before["who"], minlength=n),
            "silent": day - last.to_numpy(),
            "sales_12m": np.bincount(year["who"], year["cents"], minlength=n) / 100,
        }
    )


def _sent(rng: np.random.RandomState, campaign: Campaign, people: pd.DataFrame, listed: np.ndarray) -> pd.DataFrame:
    """One row per customer on the list: held out or written to, and whether he responded."""
    who = np.sort(rng.permutation(np.flatnonzero(listed))[: campaign.at_most])
    held = rng.uniform(size=len(who)) < HOLD_OUT
    responded = rng.uniform(size=len(who)) < campaign.base + np.where(held, 0, campaign.uplift)
    spend = people["mean_value"].to_numpy()[who] * rng.gamma(6, 1 / 6, len(who))
    return pd.DataFrame(
        {
            "customer_id": who,
            "campaign": campaign.code,
            "sent_date": np.datetime64(campaign.sent),
            "list": campaign.list,
            "channel": campaign.channel,
            "cost": np.where(held, 0.0, campaign.cost),
            "hold_out": held.astype(int),
            "responded": responded.astype(int),
            "revenue": np.round(spend * responded, 2),
        }
    )


def campaign_table(
    rng: np.random.RandomState, people: pd.DataFrame, orders: pd.DataFrame, customers: pd.DataFrame
) -> pd.DataFrame:
    """One row per customer and campaign he was on the list of; only customers who consented are."""
    tables, consent = [], customers["consent"].to_numpy() == 1
    for campaign in CAMPAIGNS:
        day = (np.datetime64(campaign.sent) - FIRST_DAY).astype(int)
        listed = LISTS[campaign.list](_known_on(orders, day, len(people))).to_numpy()
        tables.append(_sent(rng, campaign, people, listed & consent))
    sent = pd.concat(tables, ignore_index=True)
    return sent.assign(customer_id=customers["customer_id"].take(sent["customer_id"]).to_numpy())

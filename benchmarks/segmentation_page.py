"""All computations of the notebook on segments, on invented customers: the split of the seconds, and the most memory.

Run: ``python benchmarks/segmentation_page.py [customers]`` (1,000,000 if not said). Everything is computed once for 500
customers before, so that the libraries are loaded. Seconds are of the clock and of the cores used. Reading the files,
the customer table and the pictures are not counted.
"""

from __future__ import annotations

import datetime as dt
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from engagement import AS_OF, bought_of, events_of
from segmentation import customers_of

import custvalue as cv
from custvalue.indices import beside


@dataclass(frozen=True)
class Shop:
    """The tables the notebook reads."""

    customers: pd.DataFrame
    attributes: pd.DataFrame
    baskets: pd.DataFrame
    events: pd.DataFrame
    bought: pd.DataFrame
    after: pd.DataFrame
    habits: pd.DataFrame


class Clock:
    """The seconds of each part, of the clock and of the cores."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, float, float]] = []

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        start, busy = time.perf_counter(), time.process_time()
        yield
        self.rows.append((name, time.perf_counter() - start, time.process_time() - busy))


def shop_of(n: int) -> Shop:
    """Invented customers in the order of their ids, as the customer table has them; words as in ``event_rows``."""
    rng = np.random.default_rng(1)
    customers, attributes, baskets = customers_of(n)
    ids = pd.Series([f"C{number:08}" for number in range(n)], dtype="str")
    customers, attributes, baskets = (table.assign(customer_id=ids) for table in (customers, attributes, baskets))
    further = {"n_orders_12m": customers["n_orders"] // 2, "n_returns": rng.poisson(0.2, n)}
    further |= {"sales_prior_12m": customers["sales"] * 0.3, "margin_12m": customers["sales_12m"] * 0.3}
    further |= {"main_category": pd.Series([f"k{i}" for i in range(9)], dtype="str").take(rng.integers(0, 9, n)).array}
    referrer = ids.take(rng.permutation(n)).where(rng.random(n) < 0.2).to_numpy(dtype="object")
    attributes = attributes.assign(category_spend_year=rng.lognormal(6, 1, n), referrer=referrer)
    events = events_of(ids, rng)
    words = {name: pd.Categorical(events[name]) for name in events.columns.difference(["event_date"])}
    shares = ("price_level", "share_new", "same_category", "same_product", "same_channel")
    return Shop(
        customers.assign(**further),
        attributes.sample(frac=0.97, random_state=1),
        baskets,
        events.assign(**words),
        bought_of(ids, rng),
        pd.DataFrame({"customer_id": ids, "orders_after": rng.poisson(0.5, n), "sales_after": 9.0}),
        pd.DataFrame({"customer_id": ids, **{name: 0.1 + rng.random(n) for name in shares}}),
    )


def segments(shop: Shop, clock: Clock) -> tuple[pd.DataFrame, pd.DataFrame]:
    sg, customers = cv.segmentation, shop.customers
    with clock.part("segments and their profile"):
        found = sg.behaviour_segments(customers)
        cv.profile(cv.joined(customers, found), "segment")
        cv.profile(customers.dropna(subset="main_category"), "main_category")
    with clock.part("R, F, M scores and groups"):
        scores = sg.rfm_scores(customers)
        groups = sg.rfm_groups(scores)
        sg.score_cuts(customers), sg.rfm_map(scores)
        cv.profile(cv.joined(customers, groups), "rfm_group")
    with clock.part("what sets segments apart"):
        levels = sg.early_levels(customers, shop.attributes, shop.baskets)
        main = customers[["customer_id", "main_category"]]
        known = cv.joined(found, levels.drop(columns="first_amount", errors="ignore"), main)
        cv.distinguishing(known, "segment")
    return found, levels


def clusters(shop: Shop, clock: Clock) -> None:
    sg, customers = cv.segmentation, shop.customers
    with clock.part("number of clusters"):
        evidence = sg.cluster_evidence(customers)
    with clock.part("clusters"):
        model = sg.cluster_model(customers, None, evidence)
        now = sg.assign_clusters(customers, model)
        sg.cluster_centres(customers, now, model)


def likeness(shop: Shop, levels: pd.DataFrame, clock: Clock) -> None:
    sg, customers = cv.segmentation, shop.customers
    with clock.part("the best, and who is like them"):
        top = sg.best_customers(customers)
        cv.distinguishing(cv.joined(top, levels), "group_12m")
        alike = sg.look_alikes(customers, levels, top)
        cv.joined(alike.table, customers[["customer_id", "days_since_last", "sales_12m"]])


def activity(shop: Shop, clock: Clock) -> None:
    en, events, day = cv.engagement, shop.events, cv.engagement.outcome_day(AS_OF)
    with clock.part("browsing segments"):
        browsing = en.browsing_segments(events, AS_OF, customers=shop.customers)
        en.group_table(browsing)
    with clock.part("changed by chance"):
        en.changed_by_chance(events, AS_OF)
    with clock.part("viewed, not bought"):
        en.viewed_not_bought(events, shop.bought, AS_OF)
    with clock.part("e-value and its test"):
        scores = en.e_value(events, day, customers=shop.customers)
        en.e_value_test(scores, shop.customers, shop.after)
        en.e_parts(events, AS_OF)


def cross_selling(shop: Shop, found: pd.DataFrame, clock: Clock) -> None:
    early = shop.bought[shop.bought["last_bought"] < pd.Timestamp(AS_OF) - dt.timedelta(365)]
    with clock.part("co-purchases"):
        cv.crosssell.co_purchases(shop.bought)
        cv.crosssell.co_purchases(shop.bought, found)
    with clock.part("next category and its test"):
        way = cv.crosssell.preferred_way(cv.crosssell.suggestion_test(early, shop.bought))
        cv.crosssell.next_category(shop.customers, shop.bought, way)


def targets(shop: Shop, found: pd.DataFrame, clock: Clock) -> None:
    customers = shop.customers
    with clock.part("health check"):
        table = beside(cv.joined(customers, found), shop.attributes)
        again = cv.segmentation.behaviour_segments
        cv.healthcheck.health_check(table, "segment", before=found, again=again)
    with clock.part("attractiveness, tasks"):
        by_customer = cv.joined(customers, found)
        cv.targeting.attractiveness(by_customer, "segment", None, shop.attributes)
        tasks = cv.targeting.customer_tasks(customers)
        cv.profile(cv.joined(customers, tasks), "task")
    with clock.part("key accounts"):
        cv.key_accounts(customers, shop.attributes)
    with clock.part("map, ladder, buying factors"):
        cv.positioning.perceptual_map(by_customer)
        cv.positioning.conversion(cv.positioning.relation_ladder(customers, shop.attributes))
        cv.positioning.buying_factors(found, cv.positioning.factor_table(customers, shop.habits))


def page(shop: Shop) -> Clock:
    clock = Clock()
    found, levels = segments(shop, clock)
    clusters(shop, clock)
    likeness(shop, levels, clock)
    activity(shop, clock)
    cross_selling(shop, found, clock)
    targets(shop, found, clock)
    return clock


def measured(work: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    return work(), time.perf_counter() - start


def main() -> None:
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    print(f"loading libraries: {measured(lambda: page(shop_of(500)))[1]:.1f} s")
    shop = shop_of(n)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    clock = page(shop)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{n:,} customers, {len(shop.events):,} events; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    for name, seconds, busy in clock.rows:
        print(f"{name:<34}{seconds:8.2f} s ({busy:6.2f} s of a core)")
    seconds, busy = (sum(row[place] for row in clock.rows) for place in (1, 2))
    print(f"{'all together':<34}{seconds:8.2f} s ({busy:6.2f} s of a core)")
    print(f"largest memory {memory:.2f} GB, of it {before:.2f} GB when the tables were invented")


if __name__ == "__main__":
    main()

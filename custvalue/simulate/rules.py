"""The simulated store written down: the purchase process, the goods, the ways in, the campaigns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["CAMPAIGNS", "DIRTY_ROWS", "PROCESS", "SEED", "Campaign", "Process"]

SEED = 20251231
FIRST_DAY = np.datetime64("2023-01-01")
N_DAYS = 1096  #: 2023-01-01 to the end of 2025-12-31


@dataclass(frozen=True)
class Process:
    """Parameters of the Pareto/NBD (r, alpha, s, beta; weeks) and of the Gamma-Gamma spend (p, q, v; CNY).

    A customer's orders per week are gamma distributed with shape ``r`` and rate ``alpha``, his rate of being
    lost per week with shape ``s`` and rate ``beta``. An order's spend is gamma distributed with shape ``p``
    around the customer's mean ``p / nu``; ``nu`` is gamma distributed with shape ``q`` and rate ``v``.
    """

    r: float = 0.75
    alpha: float = 10.0
    s: float = 0.6
    beta: float = 28.0
    p: float = 6.0
    q: float = 4.5
    v: float = 233.0


@dataclass(frozen=True)
class Campaign:
    """One mailing: whom it went to, what a contact cost (CNY), and its true effect.

    ``base`` is the chance to respond without the mailing (that of the hold-out), ``uplift`` what it adds.
    """

    code: str
    sent: str
    list: str
    channel: str
    cost: float
    base: float
    uplift: float
    at_most: int = 900


PROCESS = Process()

CAMPAIGNS = (
    Campaign("spring_mailing", "2024-03-11", "all_members", "mail", 3.5, 0.008, 0.012, at_most=1600),
    Campaign("vip_evening", "2024-09-09", "best_buyers", "email", 0.2, 0.09, 0.07),
    Campaign("second_visit", "2025-03-10", "one_purchase", "email", 0.2, 0.03, 0.04),
    Campaign("win_back", "2025-06-09", "long_silent", "sms", 0.3, 0.01, 0.025),
    Campaign("autumn_news", "2025-10-13", "recent_buyers", "sms", 0.3, 0.06, 0.04),
)
HOLD_OUT = 0.10

#: Who is on a list on the day of sending: a rule over the orders so far (one row a customer).
LISTS = {
    "all_members": lambda known: known["n_orders"] > 0,
    "best_buyers": lambda known: known["sales_12m"] > known["sales_12m"].quantile(0.9),
    "one_purchase": lambda known: (known["n_orders"] == 1) & (known["silent"] <= 180),
    "long_silent": lambda known: (known["n_orders"] > 0) & (known["silent"] > 365),
    "recent_buyers": lambda known: known["silent"] <= 90,
}

#: Category: popularity, price level (middle amount of a line, CNY), usual margin rate.
CATEGORIES = {
    "womenswear": (0.20, 240, 0.46),
    "menswear": (0.10, 245, 0.43),
    "shoes": (0.11, 230, 0.40),
    "cosmetics": (0.14, 200, 0.38),
    "home": (0.11, 190, 0.34),
    "food": (0.10, 140, 0.20),
    "electronics": (0.08, 320, 0.14),
    "kids": (0.09, 170, 0.36),
    "sports": (0.07, 220, 0.33),
}
LINES_PER_ORDER = (0.60, 0.27, 0.09, 0.04)  #: chances of one, two, three and four lines
PRICE_BANDS = ("low", "mid", "high")
PRODUCTS_PER_BAND = 4
HAGGLING = 0.26  #: margin rate between the least and the most price-sensitive customer
RETURNED = 0.021  #: share of lines brought back
TWINS = 0.005  #: share of one-line orders (amount and cost even) rung up as two equal lines

CHANNELS = {"store": 0.62, "web": 0.16, "app": 0.18, "phone": 0.04}
REGIONS = {"north": 0.18, "northeast": 0.09, "east": 0.33, "central": 0.14, "south": 0.17, "west": 0.09}
AGES = {"18-24": 0.11, "25-34": 0.26, "35-44": 0.24, "45-54": 0.18, "55-64": 0.13, "65+": 0.08}
#: Main category: the age bands that are three times as frequent among its buyers.
AGE_LEANING = {
    "cosmetics": ("18-24", "25-34"),
    "electronics": ("18-24", "25-34"),
    "kids": ("25-34", "35-44"),
    "home": ("45-54",),
    "food": ("55-64", "65+"),
}
#: Way in: how frequent, how much more so for valuable customers, usual cost of winning one (CNY).
SOURCES = {
    "store": (0.34, 0.1, 15),
    "search_ad": (0.22, -0.3, 95),
    "social": (0.18, -0.4, 60),
    "referral": (0.16, 0.9, 40),
    "fair": (0.10, -0.1, 120),
}
EVENTS = {"view": 0.74, "search": 0.13, "ad_click": 0.07, "message": 0.04, "post": 0.02}
EVENTS_PER_CUSTOMER = 2.9
SUGGESTIONS_PER_CUSTOMER = 0.2

#: Damaged copies put among the rows of the order file, by kind.
DIRTY_ROWS = {
    "no_customer": 35,
    "bad_date": 25,
    "bad_amount": 20,
    "future": 6,
    "year_1970": 6,
    "zero_amount": 20,
}

"""The business game: teams spend a budget on customers, the simulated store plays the next twelve months.

Value created is the margin that comes on top because of what a team did, less what it spent. Every team meets the same
luck: the same customers leave on the same days.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from custvalue.errors import DataError, UsageError, nearest
from custvalue.simulate.draw import stream
from custvalue.simulate.rules import PROCESS

__all__ = ["ACTIONS", "Game", "GameResult", "GameRules", "choose"]

#: What can be done with a customer.
ACTIONS = ("letter", "care", "win_back")

_WEEKS = 365 / 7


@dataclass(frozen=True)
class GameRules:
    """Cost of each action (money a customer) and its true effect in the twelve months.

    ``letter``: every order of a customer who is still active is larger by ``letter_lift``; ``care``: an active customer
    leaves at only ``care_leaving`` of his rate; ``win_back``: a customer who has left comes back with the chance
    ``win_back_chance``, at the beginning of the year, and buys as before. An action of the wrong kind does nothing.

    >>> GameRules().cost("care")
    60.0
    """

    budget: float = 20_000.0
    letter_cost: float = 4.0
    care_cost: float = 60.0
    win_back_cost: float = 30.0
    letter_lift: float = 0.01
    care_leaving: float = 0.4
    win_back_chance: float = 0.10

    def cost(self, action: str) -> float:
        if action not in ACTIONS:
            close = nearest(action, ACTIONS)
            raise UsageError("unknown_game_action", got=action, nearest=close, allowed=", ".join(ACTIONS))
        return getattr(self, f"{action}_cost")


def choose(
    customers: pd.DataFrame,
    action: str,
    by: str = "",
    budget: float | None = None,
    rules: GameRules | None = None,
    seed: int = 1,
) -> pd.DataFrame:
    """A plan: one action for as many customers as the budget pays, those with the highest ``by`` first.

    One row per chosen customer: ``customer_id``, ``action``. ``by`` is a column of ``customers`` (without a value:
    last); empty: drawn by lot with ``seed``. ``budget`` None: all of it. Plans can be joined with ``pandas.concat`` as
    long as nobody is in two.

    >>> customers = pd.DataFrame({"customer_id": ["a", "b", "c"], "sales": [5.0, 9.0, 7.0]})
    >>> choose(customers, "care", "sales", budget=130)["customer_id"].tolist()
    ['b', 'c']
    """
    rules = rules or GameRules()
    if by and by not in customers:
        allowed = [str(column) for column in customers]
        raise UsageError("unknown_column", got=by, nearest=nearest(by, allowed), allowed=", ".join(allowed))
    n = int((rules.budget if budget is None else budget) // rules.cost(action))
    if by:
        ranked = customers.sort_values([by, "customer_id"], ascending=[False, True])
    else:
        ranked = customers.sort_values("customer_id").sample(frac=1, random_state=np.random.RandomState(seed))
    return pd.DataFrame({"customer_id": ranked["customer_id"].head(n).to_numpy(), "action": action})


@dataclass(frozen=True)
class GameResult:
    """What the teams created: ``teams`` one row per team, ``years`` one row per played year and a column per team.

    ``teams``: team, n_invested (customers), spent (money), expected_value (the mean over all luck, by formula),
    value_low, value_high (between them 9 of 10 played years), share_first (share of the years in which the team is
    first; years with two first teams count for both), the best team first.
    """

    teams: pd.DataFrame
    years: pd.DataFrame

    def beats(self, team: str, other: str) -> float:
        """The share of the played years in which one team creates more value than another."""
        for name in (team, other):
            if name not in self.years:
                allowed = ", ".join(map(str, self.years))
                raise UsageError("unknown_team", got=name, nearest=nearest(name, list(self.years)), allowed=allowed)
        return float((self.years[team] > self.years[other]).mean())


@dataclass(frozen=True)
class Game:
    """The next twelve months of a simulated store, to be played over and over.

    ``truth``: one row per customer, as :func:`custvalue.simulate.simulate` gives it; ``margin_rate``: margin per money
    of sales, one number or a column of ``truth``; ``years``: how often the twelve months are played; ``seed``: their
    luck. Customers order as the simulator lets them: at their own rate until they leave, an order's spend gamma
    distributed around their own mean.
    """

    truth: pd.DataFrame
    margin_rate: float | str = 0.35
    rules: GameRules = GameRules()
    years: int = 200
    seed: int = 1

    def __post_init__(self) -> None:
        needed = {"customer_id", "alive", "rate_per_week", "churn_per_week", "mean_order_value"}
        needed |= {self.margin_rate} if isinstance(self.margin_rate, str) else set()
        if missing := sorted(needed - set(self.truth)):
            got = ", ".join(map(str, self.truth))
            raise DataError("missing_columns_of_table", missing=", ".join(missing), got=got)
        if not isinstance(self.years, int) or not 1 <= self.years <= 10_000:
            raise UsageError("rule_out_of_range", rule="years", got=self.years, allowed="1 .. 10000")

    def _column(self, name: str) -> np.ndarray:
        return self.truth[name].to_numpy(dtype=float)

    @cached_property
    def _margin(self) -> np.ndarray:
        """Margin of a mean order of each customer."""
        rate = self._column(self.margin_rate) if isinstance(self.margin_rate, str) else self.margin_rate
        return self._column("mean_order_value") * rate

    def _weeks_active(self, leaving: np.ndarray) -> np.ndarray:
        """Expected weeks of the year a customer stays who leaves at these rates."""
        return np.divide(-np.expm1(-leaving * _WEEKS), leaving, out=np.full(len(leaving), _WEEKS), where=leaving > 0)

    @cached_property
    def expected(self) -> pd.DataFrame:
        """What each action brings with each customer, on average over all luck and before its cost.

        One row per customer: customer_id and a column per action, money: margin per order x orders a week x weeks that
        are won, with weeks = (1 - exp(-mu 52.1)) / mu for a rate of leaving mu.
        """
        alive, leaving = self._column("alive"), self._column("churn_per_week")
        a_week = self._column("rate_per_week") * self._margin
        stay, cared = self._weeks_active(leaving), self._weeks_active(leaving * self.rules.care_leaving)
        gains = {
            "letter": alive * a_week * stay * self.rules.letter_lift,
            "care": alive * a_week * (cared - stay),
            "win_back": (1 - alive) * a_week * stay * self.rules.win_back_chance,
        }
        return pd.DataFrame({"customer_id": self.truth["customer_id"].to_numpy(), **gains})

    def _played_year(self, year: int) -> np.ndarray:
        """The gain of each action with each customer in one year: rows customers, columns actions."""
        rng, n = stream(self.seed, f"year {year}"), len(self.truth)
        alive, rate, leaving = (self._column(name) for name in ("alive", "rate_per_week", "churn_per_week"))
        patience, back = rng.standard_exponential(n), rng.uniform(size=n) < self.rules.win_back_chance
        stays = np.minimum(patience / np.maximum(leaving, 1e-12), _WEEKS)
        cared = np.minimum(patience / np.maximum(leaving * self.rules.care_leaving, 1e-12), _WEEKS)
        bought, more = rng.poisson(rate * stays), rng.poisson(rate * (cared - stays))
        per_order = self._margin / PROCESS.p
        spent, further = (rng.gamma(PROCESS.p * orders) * per_order for orders in (bought, more))
        letter = alive * spent * self.rules.letter_lift
        return np.column_stack([letter, alive * further, (1 - alive) * back * spent])

    def _places(self, plan: pd.DataFrame, team: str) -> tuple[np.ndarray, np.ndarray]:
        """Rows and columns of a plan in the table of gains; refused where it can not be played."""
        ids = plan["customer_id"].astype(str)
        if ids.duplicated().any():
            raise UsageError("game_twice", team=team, example=ids[ids.duplicated()].iloc[0])
        rows = pd.Index(self.truth["customer_id"]).get_indexer(ids)
        if (rows < 0).any():
            raise UsageError("game_unknown_customer", team=team, example=ids[rows < 0].iloc[0])
        spent = self.spent(plan)
        if spent > self.rules.budget + 1e-9:
            raise UsageError("game_budget", team=team, got=f"{spent:,.0f}", allowed=f"{self.rules.budget:,.0f}")
        return rows, pd.Index(ACTIONS).get_indexer(plan["action"])

    def spent(self, plan: pd.DataFrame) -> float:
        """What a plan costs."""
        return float(sum(self.rules.cost(action) for action in plan["action"]))

    def play(self, plans: Mapping[str, pd.DataFrame]) -> GameResult:
        """Play the twelve months ``years`` times with the plans of several teams, see :class:`GameResult`.

        ``plans``: team to plan, one row per customer: customer_id, action (one of ``ACTIONS``), as :func:`choose` makes
        them. Raises ``UsageError`` for a plan over budget, a customer in it twice or unknown, an unknown action.
        """
        places = {team: self._places(plan, team) for team, plan in plans.items()}
        spent = {team: self.spent(plan) for team, plan in plans.items()}
        expected = self.expected[list(ACTIONS)].to_numpy()
        years = []
        for year in range(self.years):
            gains = self._played_year(year)
            years.append({team: round(gains[place].sum() - spent[team], 2) for team, place in places.items()})
        played = pd.DataFrame(years, columns=list(plans))
        mean = {team: expected[place].sum() - spent[team] for team, place in places.items()}
        return GameResult(_teams(plans, spent, mean, played), played)


def _teams(
    plans: Mapping[str, pd.DataFrame], spent: Mapping[str, float], mean: Mapping[str, float], years: pd.DataFrame
) -> pd.DataFrame:
    first = years.eq(years.max(axis=1), axis=0).mean()
    table = pd.DataFrame({"team": list(plans)}).assign(
        n_invested=[len(plan) for plan in plans.values()],
        spent=list(spent.values()),
        expected_value=list(mean.values()),
        value_low=years.quantile(0.05).to_numpy(),
        value_high=years.quantile(0.95).to_numpy(),
        share_first=first.to_numpy(),
    )
    return table.sort_values("expected_value", ascending=False, kind="stable").reset_index(drop=True)

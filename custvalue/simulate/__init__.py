"""A department store whose customers are known: simulated orders with their truth, for sample and tests.

``python -m custvalue.simulate FOLDER`` writes the sample, the same bytes every time.
"""

from custvalue.simulate.game import ACTIONS, Game, GameResult, GameRules, choose
from custvalue.simulate.rules import CAMPAIGNS, DIRTY_ROWS, PROCESS, SEED, Campaign, Process
from custvalue.simulate.sample import with_dirty_rows, write_sample
from custvalue.simulate.store import Shop, simulate

__all__ = [
    "ACTIONS",
    "CAMPAIGNS",
    "DIRTY_ROWS",
    "PROCESS",
    "SEED",
    "Campaign",
    "Game",
    "GameResult",
    "GameRules",
    "Process",
    "Shop",
    "choose",
    "simulate",
    "with_dirty_rows",
    "write_sample",
]

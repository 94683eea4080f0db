"""Settings of the segmentation, and the limits of the scores that follow from them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from custvalue.predicates import check_rule

__all__ = ["SegmentationRules"]


@dataclass(frozen=True)
class SegmentationRules:
    """Thresholds of the segmentation.

    ``monthly_days``, ``quarterly_days``: longest mean gap between purchase days of the monthly and
    quarterly buyers; ``dormant_days``: silence after which a customer is dormant; ``lower_line_quantile``:
    customers whose mean order value is below this quantile of all customers buy the lower line;
    ``score_levels``: RFM scores run from 1 to this; ``clusters``: number of clusters, 0: chosen by
    :func:`~custvalue.segmentation.cluster_evidence`; ``cluster_stability`` and ``smallest_cluster``: the least
    agreement of refits and the least share of customers a choice may have; ``seed``: seed of the
    clustering; ``best_share``: the share of the customers that counts as the best of last year.

    >>> SegmentationRules(dormant_days=180).monthly_days
    45
    """

    monthly_days: int = 45
    quarterly_days: int = 135
    dormant_days: int = 365
    lower_line_quantile: float = 0.5
    score_levels: int = 5
    clusters: int = 0
    cluster_stability: float = 0.8
    smallest_cluster: float = 0.02
    seed: int = 1
    best_share: float = 0.10

    def __post_init__(self) -> None:
        check_rule("monthly_days", self.monthly_days, self.monthly_days > 0, "> 0")
        longer = self.quarterly_days >= self.monthly_days
        check_rule("quarterly_days", self.quarterly_days, longer, ">= monthly_days")
        check_rule("dormant_days", self.dormant_days, self.dormant_days > 0, "> 0")
        check_rule("lower_line_quantile", self.lower_line_quantile, 0 <= self.lower_line_quantile <= 1, "0..1")
        check_rule("score_levels", self.score_levels, 2 <= self.score_levels <= 9, "2..9")
        check_rule("clusters", self.clusters, 0 <= self.clusters <= 20, "0..20")
        check_rule("cluster_stability", self.cluster_stability, 0 <= self.cluster_stability <= 1, "0..1")
        check_rule("smallest_cluster", self.smallest_cluster, 0 <= self.smallest_cluster < 0.5, ">= 0, < 0.5")
        check_rule("seed", self.seed, 0 <= self.seed < 2**32, "0..4294967295")
        check_rule("best_share", self.best_share, 0 < self.best_share <= 0.5, "> 0, <= 0.5")

    def least_score(self, level: float) -> int:
        """The lowest score that stands at ``level`` or above on the scale from 1 to 5."""
        return 1 + math.ceil((level - 1) * (self.score_levels - 1) / 4)

    @property
    def middle_score(self) -> int:
        """The lowest score that counts as middling: 2.5 of 5."""
        return self.least_score(2.5)

    @property
    def high_score(self) -> int:
        """The lowest score that counts as high: 3.5 of 5."""
        return self.least_score(3.5)

"""Customers cut into groups by behaviour: segments that act, RFM scores and groups, clusters, and who is like the best.

The settings are in ``rules``, one way to cut in each of ``behaviour``, ``rfm``, ``clusters`` (with ``features`` and
``choice``); ``likeness`` asks who among the other customers looks like the best ones.
"""

from custvalue.segmentation.behaviour import SEGMENT_PREDICATES, SEGMENTS, behaviour_segments
from custvalue.segmentation.choice import chosen_number, cluster_evidence, cluster_notes
from custvalue.segmentation.clusters import (
    CLUSTER_TRAITS,
    assign_clusters,
    cluster_agreement,
    cluster_centres,
    cluster_customers,
    cluster_model,
    kept_model,
    match_clusters,
)
from custvalue.segmentation.features import CLUSTER_FEATURES
from custvalue.segmentation.likeness import BEST, LookAlikes, best_customers, early_levels, look_alikes
from custvalue.segmentation.rfm import RFM_GROUPS, RFM_LEAST, rfm_grid, rfm_groups, rfm_map, rfm_scores, score_cuts
from custvalue.segmentation.rules import SegmentationRules

__all__ = [
    "BEST",
    "CLUSTER_FEATURES",
    "CLUSTER_TRAITS",
    "RFM_GROUPS",
    "RFM_LEAST",
    "SEGMENTS",
    "SEGMENT_PREDICATES",
    "LookAlikes",
    "SegmentationRules",
    "assign_clusters",
    "behaviour_segments",
    "best_customers",
    "chosen_number",
    "cluster_agreement",
    "cluster_centres",
    "cluster_customers",
    "cluster_evidence",
    "cluster_model",
    "cluster_notes",
    "early_levels",
    "kept_model",
    "look_alikes",
    "match_clusters",
    "rfm_grid",
    "rfm_groups",
    "rfm_map",
    "rfm_scores",
    "score_cuts",
]

"""Ranks and steps by one sort: what pandas' ranks say, whatever the values are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from custvalue.ranking import equal_steps, mean_ranks

RNG = np.random.default_rng(4)
COLUMNS = {
    "few": pd.Series(RNG.integers(0, 5, 400)),
    "many": pd.Series(RNG.lognormal(5, 1, 400), index=range(400, 0, -1)),
    "gaps": pd.Series(RNG.integers(0, 30, 400)).where(RNG.random(400) < 0.7),
    "whole_with_gaps": pd.Series(RNG.integers(0, 30, 400)).where(RNG.random(400) < 0.7).astype("Int64"),
    "endless": pd.Series([np.inf, -np.inf, 0.0, -0.0, np.inf, np.nan]),
    "equal": pd.Series([3.0] * 7),
    "one": pd.Series([3]),
    "unknown": pd.Series([np.nan, np.nan]),
    "none": pd.Series([], dtype=float),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_mean_ranks_are_those_of_pandas(name):
    values = COLUMNS[name]
    pd.testing.assert_series_equal(mean_ranks(values), values.astype(float).rank(), check_exact=True)


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("n", [1, 2, 4, 5, 9])
def test_a_step_is_the_floor_of_n_times_the_share_below(name, n):
    values = COLUMNS[name].astype(float)
    below = [(values < value).sum() if known else -1 for value, known in zip(values, values.notna(), strict=True)]
    expected = [n * count // values.notna().sum() if count >= 0 else -1 for count in below]
    assert equal_steps(COLUMNS[name], n).tolist() == expected


def test_nothing_given_is_changed():
    values = pd.Series([3.0, 1.0, None])
    mean_ranks(values), equal_steps(values, 2)
    assert values.tolist()[:2] == [3.0, 1.0]

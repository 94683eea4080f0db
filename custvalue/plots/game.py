"""The chart of the business game: the value each team creates, and how far luck moves it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from custvalue.labels import text, with_currency
from custvalue.plots.style import GREEN, INK, ON_WHITE, ORANGE, chart, new_axes, number_axis, row_axis, values, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_game"]


def _draw_team(ax: Axes, place: int, row: pd.Series) -> None:
    """The range of nine in ten years as a line, the value over all luck as a dot with its number."""
    colour = GREEN if row["expected_value"] > 0 else ORANGE
    ax.plot([row["value_low"], row["value_high"]], [place, place], color=colour, linewidth=6, alpha=0.45)
    ax.plot(row["expected_value"], place, "o", color=colour, markersize=8)
    said = values([row["expected_value"]], "money")[0]
    ax.annotate(
        said,
        (row["expected_value"], place),
        (0, 8),
        textcoords="offset points",
        ha="center",
        va="bottom",
        color=INK,
        bbox=ON_WHITE,
    )


@chart("team", "expected_value", "value_low", "value_high")
def plot_game(teams: pd.DataFrame, *, ax: Axes | None = None, language: str = "en", currency: str = "") -> Axes:
    """What each team of the business game creates: the dot over all luck, the line nine of ten played years.

    ``teams``: those of a :class:`custvalue.simulate.GameResult`, drawn in their order.

    >>> teams = pd.DataFrame({"team": ["red"], "expected_value": [9.0], "value_low": [2.0], "value_high": [15.0]})
    >>> [label.get_text() for label in plot_game(teams).get_yticklabels()]
    ['Red team']
    """
    rows = teams.reset_index(drop=True)
    ax = new_axes(ax, 1.7 + 0.55 * len(rows))
    for place, row in rows.iterrows():
        _draw_team(ax, int(place), row)
    ax.axvline(0, color=INK, linewidth=1, zorder=0)
    row_axis(ax, words("team", rows["team"], language))
    number_axis(ax.xaxis, "money")
    ax.set(title=text("plots.game_title", language))
    ax.set_xlabel(with_currency(text("plots.game_x", language), language, currency))
    return ax

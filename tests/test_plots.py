"""Every chart in both languages: all words drawn, inside the picture and apart, with odd shops too."""

from __future__ import annotations

import doctest
import subprocess
import sys

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.font_manager import FontProperties, fontManager, get_font
from matplotlib.text import Text
from plot_tables import (
    CENTRES,
    QUALITY,
    SCORES,
    STAGES,
    TIERS,
    all_charts,
    check_words,
    curve_of,
    customers,
    equal_customers,
    matrix_of,
    months,
    profile_of,
)

from custvalue import plots
from custvalue.errors import UsageError
from custvalue.labels import LANGUAGES, labels
from custvalue.plots.style import drawable, families, shorten

matplotlib.use("agg")

TYPICAL = all_charts(customers(5_000))


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def test_every_public_chart_is_tested_here():
    assert sorted(TYPICAL) == sorted(plots.__all__)


def test_the_check_of_words_can_fail():
    _, ax = plt.subplots()
    ax.text(0.5, 0.5, "one word")
    check_words(ax)
    ax.text(0.51, 0.5, "another word")
    with pytest.raises(AssertionError, match="on"):
        check_words(ax)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", sorted(TYPICAL))
def test_words_of_each_chart_are_whole_and_apart(name, language):
    ax = TYPICAL[name](language=language, currency="CNY")
    assert any(panel.get_title(loc="left") for panel in ax.figure.axes)
    words = "".join(check_words(ax))
    assert any("一" <= letter <= "鿿" for letter in words) == (language == "zh")


@pytest.mark.parametrize("name", sorted(TYPICAL))
@pytest.mark.parametrize("shop", ["three customers, one month", "all equal"])
def test_odd_shops(name, shop):
    table = customers(3) if shop.startswith("three") else equal_customers(60)
    check_words(all_charts(table, n_months=1)[name](language="zh", currency="元"))


@pytest.mark.parametrize("name", sorted(TYPICAL))
def test_a_chart_fits_into_given_axes_and_leaves_settings_alone(name):
    settings = dict(matplotlib.rcParams)
    figure, (ax, other) = plt.subplots(1, 2, figsize=(15, 6))
    returned = TYPICAL[name](ax=ax)
    assert plt.get_fignums() == [figure.number]
    assert returned is ax or returned in ax.child_axes
    assert not other.has_data()
    assert dict(matplotlib.rcParams) == settings


def pixels(words, family):
    figure = plt.figure(figsize=(1, 1))
    figure.text(0.2, 0.3, words, fontsize=40, family=family)
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., 0].copy()


@pytest.mark.parametrize("language", LANGUAGES)
def test_chinese_letters_are_drawn_and_not_boxes(language):
    assert (pixels("茶", families(language)) != pixels("叶", families(language))).any()
    with pytest.warns(UserWarning, match="missing from font"):
        assert (pixels("茶", ["DejaVu Sans"]) == pixels("叶", ["DejaVu Sans"])).all()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_has_a_face_for_each_of_its_letters(language):
    ax = plots.plot_groups(CATEGORIES, "main_category", language=language)
    for words in ax.figure.findobj(Text):
        paths = [fontManager.findfont(FontProperties(family=f)) for f in words.get_fontfamily()]
        faces = [get_font(path).get_charmap() for path in paths]
        assert all(any(ord(c) in face for face in faces) for c in words.get_text() if c != "\n")


@pytest.mark.parametrize("suffix", ["svg", "pdf"])
def test_charts_can_be_saved_as_vectors(tmp_path, suffix):
    ax = plots.plot_groups(CATEGORIES, "main_category", language="en")
    ax.figure.savefig(tmp_path / f"chart.{suffix}")
    assert (tmp_path / f"chart.{suffix}").stat().st_size > 5_000


NAMES = [
    "茶叶与健康饮品及节日礼盒（线上线下同款）",
    "a$b$c",
    "🛍 gifts",
    "x" * 80,
    "two\nlines",
    "茶 & tea",
    None,
]
CATEGORIES = profile_of(NAMES, "main_category", [50, 20, 10, 8, 6, 5, 1], [9, 8, 7, 6, 5, 4, 3])


@pytest.mark.parametrize("language", LANGUAGES)
def test_names_from_the_data_are_shown_plainly(language):
    ax = plots.plot_groups(CATEGORIES, "main_category", language=language)
    words = check_words(ax)
    colon = "：" if language == "zh" else ": "
    assert {f"a$b$c{colon}20", f"two lines{colon}6", f"茶 & tea{colon}5", f"–{colon}1"} <= set(words)
    assert not any(tick.get_parse_math() for tick in ax.get_yticklabels())
    assert any(word.startswith("茶叶与健康饮品") and "…" in word for word in words)


def test_letters_no_font_has_become_a_box():
    assert drawable("a\U000e0041b") == "ab"
    assert drawable("🛍 a") == "□ a"


@pytest.mark.parametrize("width", range(2, 30))
def test_shortened_names_are_never_wider(width):
    for name in NAMES[:-1]:
        cells = sum(2 if "⺀" <= c <= "鿿" or c in "（）" else 1 for c in shorten(name, width))
        assert cells <= width


def corner_counts(ax):
    return [int(words.get_text().split("Customers: ")[1].split(" (")[0].replace(",", "")) for words in ax.texts]


@pytest.mark.parametrize("n", [1, 3, 50, 2_000, 100_000])
@pytest.mark.parametrize("kind", ["quadrant", "value_class"])
def test_the_matrix_counts_every_customer_at_any_size(n, kind):
    matrix = matrix_of(customers(n), kind)
    ax = plots.plot_matrix(matrix)
    check_words(ax)
    counts = matrix.table[kind].value_counts()
    assert corner_counts(ax) == [counts.get(code, 0) for code in labels(kind)]
    drawn = ax.collections[0]
    assert (drawn.get_array().sum() if n > 2_000 else len(drawn.get_offsets())) == n


@pytest.mark.parametrize("kind", ["quadrant", "value_class"])
def test_the_corners_of_the_matrix_hold_their_class(kind):
    matrix = matrix_of(customers(40), kind)
    ax = plots.plot_matrix(matrix)
    for words, (code, word) in zip(ax.texts, labels(kind).items(), strict=True):
        assert words.get_text().startswith(word)
        found = matrix.table[matrix.table[kind] == code]
        x, y = words.get_position()
        assert ((found[matrix.x] >= matrix.x_cut) == (x > 0.5)).all()
        assert ((found[matrix.y] >= matrix.y_cut) == (y > 0.5)).all()


def test_the_matrix_with_one_axis_equal_cuts_outside_and_missing_values():
    table = equal_customers(50)
    table.loc[:9, "sales"] = np.nan
    matrix = matrix_of(table)
    matrix.x_cut, matrix.y_cut = 9_999.0, -0.5
    ax = plots.plot_matrix(matrix)
    check_words(ax)
    assert ax.get_xlim()[1] > 9_999
    assert ax.get_ylim()[0] < -0.5
    assert len(ax.collections[0].get_offsets()) == 40


@pytest.mark.parametrize("sales", [[-5.0, -3.0, -1.0], [0.0, 0.0, 1e9], [1e-9, 1.0, 1e7], [0.0, 0.0, 0.0]])
def test_the_matrix_with_extreme_money(sales):
    matrix = matrix_of(customers(3).assign(sales=sales))
    check_words(plots.plot_matrix(matrix, currency="CNY"))


def test_the_mark_of_the_concentration_curve():
    values = [50.0, 25.0, 5, 5, 5, 2, 2, 2, 2, 2]
    assert plots.plot_lorenz(curve_of(values), 0.5).texts[0].get_text() == "The best 20% hold 75.0%"
    assert "33.3% hold 50.0%" in plots.plot_lorenz(curve_of([2.0, 1, 1]), 0.2).texts[0].get_text()
    assert "100% hold 100.0%" in plots.plot_lorenz(curve_of([7.0]), 0).texts[0].get_text()
    returns = plots.plot_lorenz(curve_of([90.0, 20, 5, 5, -20]), 0.5)
    assert "hold 90.0%" in returns.texts[0].get_text()
    assert returns.get_ylim()[1] > 1.2


def test_the_curve_from_the_smallest_is_drawn_the_same():
    best = curve_of([50.0, 25.0, 5, 5, 5, 2, 2, 2, 2, 2])
    smallest = pd.concat([pd.DataFrame({"share_customers": [0.0], "share_value": [0.0]}), best]).iloc[::-1]
    lines = [plots.plot_lorenz(curve, 0.5).lines[1] for curve in (best, 1 - smallest)]
    one, two = (np.unique(line.get_xydata().round(12), axis=0) for line in lines)
    np.testing.assert_allclose(one, two)


def test_curves_without_value_say_so():
    nothing = pd.DataFrame({"share_customers": [0.0, 1.0], "share_value": [np.nan, np.nan]})
    words = check_words(plots.plot_lorenz(nothing, float("nan")))
    assert any("not above zero" in word for word in words)
    worthless = plots.plot_value_curve(pd.DataFrame({"clv_12m": [0.0, 0.0]}))
    assert any("No value" in words for words in check_words(worthless))


def test_months_are_thinned_to_what_can_be_read():
    for n in (1, 2, 13, 37, 120, 400):
        ax = plots.plot_months(months(n, "1990-01-01"))
        check_words(ax)
        assert 1 <= len(ax.get_xticks()) <= 10
        assert ax.get_xticklabels()[0].get_text() == "1990-01"


def test_many_groups_the_largest_are_drawn_and_the_rest_counted():
    profile = profile_of([f"c{i}" for i in range(40)], "main_category", range(1, 41), range(1, 41))
    ax = plots.plot_groups(profile, "main_category")
    check_words(ax)
    assert [tick.get_text() for tick in ax.get_yticklabels()][::19] == ["c20: 21", "c39: 40"]
    assert "20 smaller groups" in ax.get_xlabel()


def test_unknown_and_empty_shares_are_written():
    profile = profile_of(TIERS, "tier", [0, 0, 0, 4], [1, 1, 1, 1]).assign(share_sales=np.nan, share_value=np.nan)
    assert check_words(plots.plot_groups(profile, "tier")).count("–") == 4
    assert check_words(plots.plot_pyramid(profile)).count("–") == 4


@pytest.mark.parametrize("kind", ["tier", "segment", "quadrant", "value_class", "stage"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_words_of_all_kinds_fit(kind, language):
    codes = list(labels(kind))
    counts = pd.DataFrame(123_456, index=codes, columns=codes)
    check_words(plots.plot_movement(counts, kind, language=language))
    check_words(
        plots.plot_groups(profile_of(codes, kind, range(len(codes)), [1] * len(codes)), kind, language=language)
    )


def test_movement_mutes_who_stayed():
    ax = plots.plot_movement(pd.DataFrame([[9, 1], [0, 0]], index=TIERS[:2], columns=TIERS[:2]), "tier")
    shades = ax.collections[0].get_array()
    assert shades.mask.reshape(2, 2).tolist() == [[True, False], [False, True]]
    assert "9" in check_words(ax)


def test_holdout_marks_what_came_and_the_chosen_model():
    ax = plots.plot_holdout(SCORES)
    assert ax.lines[0].get_xdata()[0] == 1882
    colours = [bar.get_facecolor() for bar in ax.patches]
    assert colours.count(colours[2]) == 1
    check_words(plots.plot_holdout(SCORES.assign(actual=0, bias=np.nan, forecast=0.0)))


def test_one_time_buyers_are_apart_and_all_are_counted():
    table = customers(500)
    ax = plots.plot_alive(table)
    assert sum(bar.get_height() for bar in ax.containers[0]) == (table["n_repeats"] > 0).sum()
    assert (
        max(bar.get_y() + bar.get_height() for bar in ax.patches) == np.histogram(table["p_alive"], 20, (0, 1))[0].max()
    )


def test_rhythm_keeps_the_extremes_at_the_edge():
    table = pd.DataFrame({"overdue": [0.0, 1e6, np.inf, np.nan, 1.5]})
    assert sum(bar.get_height() for bar in plots.plot_rhythm(table).patches) == 4


def test_stages_without_a_forecast_have_one_panel():
    profile = profile_of(STAGES, "stage", range(6), [1] * 6)
    assert len(plots.plot_stages(profile.drop(columns="value_at_risk")).figure.axes) == 1
    assert len(plots.plot_stages(profile.assign(value_at_risk=np.nan)).figure.axes) == 1


def test_nothing_set_aside_and_empty_tables():
    assert "No row was set aside." in check_words(plots.plot_quality(QUALITY[:2]))
    empty = customers(3)[:0]
    for chart in (plots.plot_alive, plots.plot_rhythm, plots.plot_rfm, plots.plot_value_curve):
        assert check_words(chart(empty, language="zh")) == ["这里没有可以显示的数据。"]


def test_clusters_are_coloured_on_logs_as_they_are_cut():
    centres = pd.DataFrame({"cluster": list("1234"), "sales": [5430.0, 1653.0, 738.0, 351.0]})
    shades = plots.plot_clusters(centres).collections[0].get_array().ravel()
    assert shades[1] > 0 > shades[2], "above the average of the logarithms, though below that of the amounts"
    assert shades.sum() == pytest.approx(0)


def test_one_cluster_has_no_colour_and_its_numbers():
    words = check_words(plots.plot_clusters(CENTRES[:1], currency="CNY"))
    assert {"48,200", "31", "Cluster 1: 120\nrecent, frequent, high spend"} <= set(words)


def test_scores_beyond_the_levels_are_counted():
    scores = pd.DataFrame({"r_score": [7, 7, 1], "f_score": [7, 7, 2]})
    assert check_words(plots.plot_rfm(scores)).count("2") == 3


def test_tables_are_not_changed():
    table, scores, centres = customers(50), SCORES.copy(), CENTRES.copy()
    before = table.copy()
    for draw in all_charts(table).values():
        draw()
    pd.testing.assert_frame_equal(table, before)
    plots.plot_holdout(scores), plots.plot_clusters(centres)
    pd.testing.assert_frame_equal(scores, SCORES)
    pd.testing.assert_frame_equal(centres, CENTRES)


def test_wrong_tables_and_languages_are_refused():
    with pytest.raises(UsageError) as error:
        plots.plot_months(QUALITY)
    assert error.value.code == "chart_columns"
    assert error.value.values["missing"] == "month, sales, n_customers, n_orders"
    with pytest.raises(UsageError) as error:
        plots.plot_quality(QUALITY, language="fr")
    assert error.value.code == "chart_language"


@pytest.mark.parametrize("name", sorted(plots.__all__))
def test_examples_in_the_help(name):
    chart = getattr(plots, name)
    (example,) = doctest.DocTestFinder(recurse=False).find(chart, name, globs=chart.__wrapped__.__globals__.copy())
    assert example.examples
    assert doctest.DocTestRunner().run(example).failed == 0


def test_importing_the_charts_loads_no_drawing_library():
    code = "import sys, custvalue.plots; print([m for m in ('matplotlib', 'seaborn') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

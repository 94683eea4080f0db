"""The lifetime models against published numbers: CDNOW 1/10 sample, 39 weeks to fit, 39 weeks held out."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from conftest import real_file

from custvalue.lifetime import MODELS, Fitted, fit, fit_spend, grouped_rows, holdout_scores, verdict
from custvalue.lifetime.fitting import model_inputs

CUTOFF, END = pd.Timestamp("1997-09-30"), pd.Timestamp("1998-06-30")

PUBLISHED = {
    "bg_nbd": ({"r": 0.2426, "alpha": 4.4136, "a": 0.7929, "b": 2.4259}, -9582.429),
    "pareto_nbd": ({"r": 0.5533, "alpha": 10.578, "s": 0.6062, "beta": 11.669}, -9594.976),
}
BG = Fitted("bg_nbd", PUBLISHED["bg_nbd"][0])
PARETO = Fitted("pareto_nbd", PUBLISHED["pareto_nbd"][0])


def _as_of(days: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """The columns of the customer table the models need; purchases of 0 are purchases."""
    days = days[days["date"] <= as_of].assign(first=lambda t: t.groupby("customer_id")["date"].transform("min"))
    days["repeat"] = days["value"].where(days["date"] > days["first"], 0.0)
    grouped = days.groupby("customer_id")
    table = grouped.agg(
        first_order=("date", "min"),
        last_order=("date", "max"),
        n_repeats=("date", "size"),
        repeat_sales=("repeat", "sum"),
        mean_order_value=("value", "mean"),
    )
    table["n_repeats"] -= 1
    return table.assign(tenure_days=(as_of - table["first_order"]).dt.days).reset_index()


@pytest.fixture(scope="module")
def cdnow():
    names = ["master", "customer_id", "date", "cds", "value"]
    file = real_file("cdnow/CDNOW_sample.txt")
    rows = pd.read_csv(file, sep=r"\s+", header=None, names=names, dtype={"customer_id": str})
    rows["date"] = pd.to_datetime(rows["date"].astype(str))
    days = rows.groupby(["customer_id", "date"], as_index=False)["value"].sum()
    return _as_of(days, CUTOFF), _as_of(days, END)


@pytest.fixture(scope="module")
def fits(cdnow):
    rows = grouped_rows(cdnow[0])
    return {model: fit(rows, model) for model in MODELS}


@pytest.fixture(scope="module")
def scores(cdnow):
    return holdout_scores(*cdnow, (END - CUTOFF).days).set_index("model")


@pytest.mark.parametrize("model", PUBLISHED)
def test_parameters_and_likelihood_are_the_published_ones(fits, model):
    parameters, log_likelihood = PUBLISHED[model]
    assert fits[model].parameters == pytest.approx(parameters, rel=1e-3)
    assert fits[model].log_likelihood == pytest.approx(log_likelihood, abs=0.002)
    assert fits[model].n_customers == 2357
    assert fits[model].notes == ()


def test_mbg_parameters_are_those_of_lifetimes(fits):
    assert fits["mbg_nbd"].parameters == pytest.approx({"r": 0.52, "alpha": 6.18, "a": 0.89, "b": 1.61}, abs=0.006)


def test_spend_parameters_are_the_published_ones(cdnow):
    model = fit_spend(cdnow[0])
    assert model.kind == "gamma_gamma"
    assert model.n_customers == 946
    assert model.parameters == pytest.approx({"p": 6.25, "q": 3.74, "v": 15.44}, abs=0.006)
    assert model.log_likelihood == pytest.approx(-4055.92, abs=0.005)
    # Fader & Hardie (2013): (p v + m p x) / (p x + q - 1)
    p, q, v = model.parameters.values()
    model = replace(model, groups=())
    assert model.expected_spend([2], [22.35]) == pytest.approx([(p * v + 22.35 * p * 2) / (p * 2 + q - 1)])
    assert model.expected_spend([0], [np.nan]) == pytest.approx([p * v / (q - 1)])


def test_worked_example_of_the_bg_nbd_paper():
    # Parameters of four digits carry the third digit of the results.
    t_x, T = np.array([30.43, 29.43]), 38.86
    assert BG.expected_orders([2, 7], t_x, T, 39) == pytest.approx([1.226, 3.338], abs=0.001)
    assert BG.p_alive([2, 7], t_x, T) == pytest.approx([0.727, 0.642], abs=0.001)


def test_walkthrough_of_btyd():
    bg, pareto = (m.expected_orders(26, 30.857, 31, 52)[0] for m in (BG, PARETO))
    assert (bg, pareto) == pytest.approx((25.757, 25.456), abs=0.003)
    assert BG.p_alive(26, 30.857, 31) == pytest.approx(0.9689, abs=1e-4)
    assert PARETO.p_alive(26, 30.857, 31) == pytest.approx(0.9979, abs=1e-4)


@pytest.mark.parametrize(("model", "share_under"), [("bg_nbd", 0.041), ("pareto_nbd", 0.016)])
def test_cumulative_repeats_to_week_78_from_the_first_purchase_on(cdnow, fits, model, share_under):
    late = cdnow[1]
    weeks = late["tenure_days"] / 7
    per_age = {w: fits[model].expected_orders(0, 0, 0, w)[0] for w in weeks.unique()}
    assert weeks.map(per_age).sum() / late["n_repeats"].sum() - 1 == pytest.approx(-share_under, abs=0.001)


# mae, rmse, bias, spearman, auc, brier
MEASURED = {
    "pareto_nbd": (0.755, 1.603, -0.115, 0.460, 0.779, 0.160),
    "mbg_nbd": (0.765, 1.607, -0.162, 0.450, 0.773, 0.159),
    "bg_nbd": (0.785, 1.608, -0.121, 0.449, 0.773, 0.160),
    "past_rate": (1.024, 2.212, 0.557, 0.490, 0.760, 0.212),
    "rate_if_active": (0.767, 1.942, -0.238, 0.432, 0.644, 0.220),
}


@pytest.mark.parametrize("model", MEASURED)
def test_holdout_measures(scores, model):
    mae, rmse, bias, spearman, auc, brier = MEASURED[model]
    row = scores.loc[model]
    assert (row["mae"], row["rmse"]) == pytest.approx((mae, rmse), abs=0.001)
    assert row["bias"] == pytest.approx(bias, abs=0.002)
    assert (row["spearman"], row["auc"]) == pytest.approx((spearman, auc), abs=0.001)
    # The published Brier scores take 1 - exp(-expected orders); ours the model's own probability of an order.
    assert row["brier"] == pytest.approx(brier, abs=0.003)


@pytest.mark.parametrize("model", ["pareto_nbd", "mbg_nbd", "bg_nbd"])
def test_brier_of_one_minus_exp_of_the_forecast_is_the_measured_one(cdnow, fits, model):
    early, late = cdnow
    bought = late["n_repeats"].to_numpy() > early["n_repeats"].to_numpy()
    inputs = model_inputs(early)
    expected = fits[model].expected_orders(inputs["x"], inputs["t_x"], inputs["T"], 39)
    assert ((1 - np.exp(-expected) - bought) ** 2).mean() == pytest.approx(MEASURED[model][5], abs=0.0005)


@pytest.mark.parametrize(("model", "share"), [("pareto_nbd", 0.473), ("mbg_nbd", 0.478), ("bg_nbd", 0.470)])
def test_the_top_tenth_by_forecast_holds_nearly_half_of_orders_and_of_revenue(cdnow, scores, fits, model, share):
    early, late = cdnow
    revenue = late["repeat_sales"].to_numpy() - early["repeat_sales"].to_numpy()
    inputs = model_inputs(early)
    expected = fits[model].expected_orders(inputs["x"], inputs["t_x"], inputs["T"], 39)
    top = np.argsort(-expected, kind="stable")[:236]
    assert revenue[top].sum() / revenue.sum() == pytest.approx(share, abs=0.003)
    assert scores.loc[model, "top_decile_share"] == pytest.approx(share, abs=0.003)


def test_predicting_zero(scores):
    row = scores.loc["zero"]
    assert (row["mae"], row["bias"], row["auc"]) == pytest.approx((0.7985, -1.0, 0.5), abs=1e-4)
    assert row["brier"] == row["base_rate"]
    assert row["top_decile_share"] == pytest.approx(0.1)


def test_pareto_is_chosen_and_good(scores):
    assert (scores["actual"] == 1882).all()
    assert scores["base_rate"].round(2).eq(0.29).all()
    found = verdict(scores.reset_index())
    assert (found["model"], found["code"]) == ("pareto_nbd", "good")
    assert found["bias"] == pytest.approx(-0.115, abs=0.002)
    assert found["brier_skill"] == pytest.approx(1 - 0.1619 / (0.2902 * 0.7098), abs=0.002)
    assert found["mae_ratio"] == pytest.approx(0.7545 / 0.7673, abs=0.002)


@pytest.mark.parametrize("model", ["bg_nbd", "mbg_nbd", "pareto_nbd"])
def test_our_forecasts_are_those_of_lifetimes_where_it_works(cdnow, fits, model):
    import lifetimes

    names = {"bg_nbd": "BetaGeoFitter", "mbg_nbd": "ModifiedBetaGeoFitter", "pareto_nbd": "ParetoNBDFitter"}
    theirs = getattr(lifetimes, names[model])()
    theirs.params_ = pd.Series(fits[model].parameters)
    inputs = model_inputs(cdnow[0])
    x, t_x, T = (inputs[name].to_numpy(dtype=float) for name in ("x", "t_x", "T"))
    expected = theirs.conditional_expected_number_of_purchases_up_to_time(52, x, t_x, T)
    alive = theirs.conditional_probability_alive(x, t_x, T)
    assert fits[model].expected_orders(x, t_x, T, 52) == pytest.approx(expected, rel=1e-6)
    assert fits[model].p_alive(x, t_x, T) == pytest.approx(alive, rel=1e-6, abs=1e-12)


def test_probability_of_an_order_is_that_of_lifetimes_for_pareto(cdnow, fits):
    import lifetimes

    theirs = lifetimes.ParetoNBDFitter()
    theirs.params_ = pd.Series(fits["pareto_nbd"].parameters)
    inputs = model_inputs(cdnow[0]).drop_duplicates().head(300)
    x, t_x, T = (inputs[name].to_numpy(dtype=float) for name in ("x", "t_x", "T"))
    none = theirs.conditional_probability_of_n_purchases_up_to_time(0, 39, x, t_x, T)
    assert fits["pareto_nbd"].p_order(x, t_x, T, 39) == pytest.approx(1 - none, abs=1e-8)

"""The lifetime models: slopes, regular buyers, life, draws and simulated futures."""

import numpy as np
import pandas as pd
import pytest
from conftest import real_file
from lifetime_customers import customers_of, odd_customers
from scipy import integrate
from scipy.special import betainc, betaln, hyperu
from test_lifetime import EXAMPLES, every_model

from custvalue.errors import UsageError
from custvalue.lifetime import MODELS, Fitted, fit, grouped_rows
from custvalue.lifetime.fitting import model_inputs
from custvalue.lifetime.likelihood import Likelihood, curvature, polished
from custvalue.lifetime.models import FAMILIES
from custvalue.pipeline import read


def histories():
    x = np.array([0, 0, 0, 1, 2, 5, 40, 300])
    T = np.array([0.0, 3, 60, 30, 30, 80, 80, 104])
    t_x = np.array([0.0, 0, 0, 30, 4, 70, 79, 103])
    return pd.DataFrame({"x": x, "t_x": t_x, "T": T, "n_customers": [3, 1, 9, 2, 2, 4, 1, 1]})


def erlang(n, k, seed, p=None, weeks=104):
    """The purchase days of customers of Erlang-k spacing; p is the chance to leave, Beta(0.8, 3) if None."""
    rng = np.random.default_rng(seed)
    rate, leave = rng.gamma(1.5, k / 8.0, n), rng.beta(0.8, 3.0, n) if p is None else np.full(n, p)
    start = rng.uniform(0, weeks / 3, n)
    histories = []
    for i in range(n):
        gaps = rng.gamma(k, 1 / rate[i], 400)
        last = int(rng.geometric(leave[i])) - 1 if leave[i] > 0 else 400
        days = np.unique(np.ceil(7 * (start[i] + np.cumsum(gaps[:last]))))
        histories.append(np.concatenate([[np.floor(7 * start[i])], days[days > np.floor(7 * start[i])]]).astype(int))
    return histories


def table_at(histories, week):
    seen = [days[days <= 7 * week] for days in histories]
    seen = [days for days in seen if len(days)]
    table = customers_of([len(d) - 1 for d in seen], [d[-1] - d[0] for d in seen], [int(7 * week) - d[0] for d in seen])
    return table.assign(sum_log_gaps=[np.log(np.diff(d)).sum() for d in seen])


def _purchase_days(raw):
    """The customer table of the web shop's purchases: one a customer and day, of what has a customer and a price."""
    bought = raw[raw["CustomerID"].notna() & (raw["Quantity"].astype(int) > 0) & (raw["UnitPrice"].astype(float) > 0)]
    days = bought["InvoiceDate"].str[:10].astype("datetime64[s]").groupby(bought["CustomerID"]).unique()
    days = [np.sort(np.asarray(one, dtype="datetime64[D]").astype(int)) for one in days]
    return table_at([one - days_before(days) for one in days], (max(d[-1] for d in days) - days_before(days)) / 7)


def days_before(days):
    return min(one[0] for one in days)


# --- likelihoods


@pytest.mark.parametrize(("model", "k"), [*((m, 0) for m in MODELS[:-1]), *(("mbg_cnbd_k", k) for k in (1, 2, 3, 4))])
def test_slopes_are_the_differences_of_the_likelihood(model, k):
    likelihood = Likelihood(FAMILIES[model], histories(), {"k": float(k)} if k else None)
    at = np.log([0.6, 8.0, 0.7, 3.0][: len(FAMILIES[model].names)])
    steps = np.eye(len(at)) * 1e-5
    differences = [(likelihood(at + step)[0] - likelihood(at - step)[0]) / 2e-5 for step in steps]
    assert likelihood(at)[1] == pytest.approx(differences, rel=1e-6, abs=1e-7)


def test_pareto_fits_with_slopes_as_without():
    rows, q = histories(), EXAMPLES["pareto_nbd"].parameters
    x, t_x, T = (rows[name].to_numpy(dtype=float) for name in ("x", "t_x", "T"))
    family = FAMILIES["pareto_nbd"]
    assert family.with_slopes(q, x, t_x, T)[0] == pytest.approx(family.log_likelihood(q, x, t_x, T), rel=1e-12)


@pytest.mark.parametrize("model", ["bg_nbd", "mbg_nbd", "pareto_nbd"])
def test_optimum_is_that_of_lifetimes(model):
    import lifetimes

    rows = grouped_rows(table_at(erlang(6000, 1, 3), 104))
    found = fit(rows, model)
    theirs = getattr(lifetimes, FAMILIES[model].fitter)().fit(
        rows["x"], rows["t_x"], rows["T"], weights=rows["n_customers"]
    )
    assert dict(theirs.params_) == pytest.approx(found.parameters, rel=2e-3)
    reached = Likelihood(FAMILIES[model], rows).total(np.log([theirs.params_[name] for name in found.parameters]))
    assert found.log_likelihood >= reached - 1e-6
    errors = np.sqrt(np.diag(found.covariance)) * list(found.parameters.values())
    if model != "pareto_nbd":
        assert errors == pytest.approx(theirs.standard_errors_.to_numpy(), rel=0.02)


# --- regular buyers


def test_k_of_one_is_the_mbg_nbd():
    q = EXAMPLES["mbg_nbd"].parameters
    one, other = Fitted("mbg_cnbd_k", {**q, "k": 1.0}), EXAMPLES["mbg_nbd"]
    rows = histories()
    x, t_x, T = (rows[name].to_numpy(dtype=float) for name in ("x", "t_x", "T"))
    likelihoods = [FAMILIES[f.model].log_likelihood(f.parameters, x, t_x, T) for f in (one, other)]
    assert likelihoods[0] == pytest.approx(likelihoods[1], rel=1e-12)
    assert one.p_alive(x, t_x, T) == pytest.approx(other.p_alive(x, t_x, T), rel=1e-12)
    for weeks in (1 / 7, 52, 500):
        assert one.expected_orders(x, t_x, T, weeks) == pytest.approx(other.expected_orders(x, t_x, T, weeks), rel=1e-7)
        assert one.p_order(x, t_x, T, weeks) == pytest.approx(other.p_order(x, t_x, T, weeks), rel=1e-9)


@pytest.mark.parametrize("k", [2, 3, 4])
def test_orders_of_regular_buyers_are_the_sum_over_purchases(k):
    r, alpha, a, b = 0.6, 3.1, 0.8, 1.7
    x, T, weeks, m = 6, 40.0, 52.0, np.arange(1, 4000)
    for stage in range(k):
        reached = betainc(m * k - stage, r + k * x + stage, weeks / (alpha + T + weeks))
        staying = np.exp(betaln(a, b + x + m) - betaln(a, b + x + 1))
        q = {"r": r, "alpha": alpha, "a": a, "b": b, "k": float(k)}
        found = FAMILIES["mbg_cnbd_k"].orders_if_alive(q, np.array([x]), np.array([T]), weeks, stage)
        assert found == pytest.approx([(reached * staying).sum()], rel=1e-7)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_the_regularity_of_simulated_buyers_is_found(k):
    found = fit(grouped_rows(table_at(erlang(3000, k, 4), 104)), "mbg_cnbd_k")
    assert found.parameters["k"] == k
    assert found.parameters["r"] == pytest.approx(1.5, rel=0.2)
    assert found.parameters["r"] / found.parameters["alpha"] == pytest.approx(1.5 * k / 8, rel=0.1)
    assert found.parameters["a"] / found.parameters["b"] == pytest.approx(0.8 / 3.0, rel=0.2)


def test_without_the_gaps_nobody_is_called_regular():
    table = table_at(erlang(500, 3, 4), 104).drop(columns="sum_log_gaps")
    assert fit(grouped_rows(table), "mbg_cnbd_k").parameters["k"] == 1


def test_regular_buyers_are_forecast_better_than_by_pareto():
    histories = erlang(4000, 2, 5)
    early, late = table_at(histories, 52), table_at(histories, 104)
    actual = late["n_repeats"].to_numpy()[: len(early)] - early["n_repeats"].to_numpy()
    i = model_inputs(early)
    error, bias = {}, {}
    for model in ("mbg_cnbd_k", "pareto_nbd"):
        expected = fit(grouped_rows(early), model).expected_orders(i["x"], i["t_x"], i["T"], 52)
        error[model], bias[model] = np.abs(expected - actual).mean(), expected.sum() / actual.sum() - 1
    assert error["mbg_cnbd_k"] < 0.95 * error["pareto_nbd"]
    assert abs(bias["mbg_cnbd_k"]) < 0.05


def test_the_sum_of_log_gaps_is_that_of_the_purchase_days():
    days = ["2024-01-01", "2024-01-01", "2024-01-11", "2024-01-12", "2024-01-31"]
    rows = pd.DataFrame({"customer_id": list("aaaab"), "order_date": days, "amount": 5.0})
    from custvalue.customers import customer_table

    table = customer_table(read(rows))
    assert table["sum_log_gaps"].tolist() == pytest.approx([np.log(10) + np.log(1), 0.0])


def test_online_retail_is_regular_not_without_churn():
    raw = pd.read_csv(real_file("online_retail/online_retail.csv.gz"), dtype=str)
    table = _purchase_days(raw)
    rows, i = grouped_rows(table), model_inputs(table)
    pareto, regular = fit(rows, "pareto_nbd"), fit(rows, "mbg_cnbd_k")
    assert pareto.notes == ("no_churn_seen:pareto_nbd",)
    assert pareto.log_likelihood == pytest.approx(fit(rows, "nbd").log_likelihood, abs=0.01)
    assert regular.parameters["k"] == 2
    assert regular.log_likelihood > pareto.log_likelihood + 500
    assert 0.8 < regular.p_alive(i["x"], i["t_x"], i["T"]).mean() < 0.95


# --- nobody leaves, nobody sure


@pytest.mark.parametrize("model", ["bg_nbd", "mbg_nbd", "pareto_nbd", "mbg_cnbd_k"])
def test_frequent_buyers_who_fell_silent_are_not_taken_for_loyal(model):
    # up to 400 purchases, then weeks without any: the limit without drop-out would call them all active
    table = odd_customers("frequent buyers")
    found, i = fit(grouped_rows(table), model), model_inputs(table)
    often = (i["x"] > 100) & (i["T"] - i["t_x"] > 3)
    assert found.p_alive(i["x"], i["t_x"], i["T"])[often].mean() < 0.05
    assert found.notes in ((), (f"penalised:{model}",))


@every_model
@pytest.mark.parametrize("k", [1, 2])
def test_buyers_who_never_leave_are_the_limit_without_drop_out(model, k):
    table = table_at(erlang(400, k, 6, p=0.0), 104)
    found, i = fit(grouped_rows(table), model), model_inputs(table)
    if model != "nbd":
        assert found.p_alive(i["x"], i["t_x"], i["T"]).mean() > 0.98
        assert found.notes == (f"no_churn_seen:{model}",)
    expected = found.expected_orders(i["x"], i["t_x"], i["T"], 52).sum()
    assert expected == pytest.approx(400 * 52 * 1.5 / 8, rel=0.1)


# --- life, draws, simulated futures


@every_model
def test_life_is_the_discounted_stream_of_orders(model):
    fitted, discount = EXAMPLES[model], 0.01
    x, t_x, T = 3, 30.0, 40.0
    grid = np.concatenate([[0.0], np.geomspace(1e-3, 4000, 600)])
    orders = fitted.expected_orders(x, t_x, T, grid)[0]
    middle = (grid[1:] + grid[:-1]) / 2
    assert fitted.life_orders(x, t_x, T, discount) == pytest.approx(
        [(np.diff(orders) * np.exp(-discount * middle)).sum()], rel=1e-4
    )


@every_model
def test_weighted_orders_are_the_weighted_sum_of_the_horizons(model):
    rows, weeks, factors = histories(), [4.0, 8.0, 52.0], [0.1, 0.2, 0.9]
    table = EXAMPLES[model].expected_orders(rows["x"], rows["t_x"], rows["T"], weeks)
    assert table.shape == (len(rows), 3)
    assert EXAMPLES[model].weighted_orders(rows["x"], rows["t_x"], rows["T"], weeks, factors) == pytest.approx(
        table @ factors, rel=1e-12
    )


def test_life_of_pareto_is_the_published_expression():
    # DET of Fader, Hardie & Lee (2005) given alive: rate x delta^(s - 1) (beta + T)^s Psi(s, s; delta (beta + T))
    r, alpha, s, beta = EXAMPLES["pareto_nbd"].parameters.values()
    x, t_x, T, delta = 4, 30.0, 39.0, np.log(1.15) / (365 / 7)
    alive = EXAMPLES["pareto_nbd"].p_alive(x, t_x, T)
    z = delta * (beta + T)
    det = alive * (r + x) / (alpha + T) * delta ** (s - 1) * (beta + T) ** s * hyperu(s, s, z)
    assert EXAMPLES["pareto_nbd"].life_orders(x, t_x, T, delta) == pytest.approx(det, rel=1e-7)


def test_life_of_bg_is_the_mean_of_rate_over_discount_plus_risk():
    r, alpha, a, b = EXAMPLES["bg_nbd"].parameters.values()
    x, t_x, T, delta = 4, 30.0, 39.0, 0.002

    def stream(p):
        decay = integrate.quad(lambda t: np.exp(-delta * t) * (1 + p * t / (alpha + T)) ** -(r + x + 1), 0, np.inf)[0]
        return decay * np.exp((a - 1) * np.log(p) + (b + x - 1) * np.log1p(-p) - betaln(a, b + x))

    mean = integrate.quad(stream, 0, 1, epsrel=1e-7)[0] * (r + x) / (alpha + T)
    assert EXAMPLES["bg_nbd"].life_orders(x, t_x, T, delta) == pytest.approx(
        EXAMPLES["bg_nbd"].p_alive(x, t_x, T) * mean, rel=1e-4
    )


@pytest.mark.parametrize("rate", [0.0, -0.01, np.nan])
def test_life_without_discount_is_refused(rate):
    with pytest.raises(UsageError, match="needs a discount rate above 0"):
        EXAMPLES["nbd"].life_orders(2, 5.0, 20.0, rate)


@every_model
def test_simulated_futures_have_the_mean_and_chance_of_the_model(model):
    fitted, n, rng = EXAMPLES[model], 60_000, np.random.default_rng(7)
    for x, t_x, T in ((0, 0.0, 20.0), (4, 30.0, 40.0), (30, 50.0, 52.0)):
        drawn = fitted.simulate_orders(np.full(n, x), t_x, T, 26, rng)
        assert drawn.dtype.kind == "i"
        error = 4.5 * drawn.std() / np.sqrt(n)
        assert drawn.mean() == pytest.approx(fitted.expected_orders(x, t_x, T, 26)[0], abs=error)
        assert (drawn > 0).mean() == pytest.approx(fitted.p_order(x, t_x, T, 26)[0], abs=4.5 * 0.5 / np.sqrt(n))


def test_simulated_orders_of_the_rules():
    rng = np.random.default_rng(8)
    assert Fitted("zero").simulate_orders([3, 3], 10, 20, 52, rng).tolist() == [0, 0]
    drawn = Fitted("past_rate").simulate_orders(np.full(20_000, 4), 10, 20, 10, rng)
    assert (drawn.mean(), drawn.var()) == pytest.approx((2.0, 2.0), rel=0.05)


@every_model
def test_draws_follow_the_covariance(model):
    found = fit(grouped_rows(table_at(erlang(3000, 2, 9), 104)), model)
    names = FAMILIES[model].names
    drawn = found.draws(4000, np.random.default_rng(10))
    logs = np.log([[one.parameters[name] for name in names] for one in drawn])
    assert np.cov(logs.T) == pytest.approx(found.covariance, rel=0.15, abs=0.02 * found.covariance.max())
    spread = np.sqrt(np.diag(found.covariance))
    centre = np.log([found.parameters[name] for name in names])
    assert np.abs(logs.mean(axis=0) - centre).max() < 0.1 * spread.max()
    assert drawn[0].parameters.get("k") == found.parameters.get("k")


def test_draws_stay_sane_where_the_data_leave_parameters_open():
    found = fit(grouped_rows(customers_of([0, 2, 5], [0, 70, 210], [280, 266, 245])), "mbg_nbd")
    logs = np.log([list(one.parameters.values()) for one in found.draws(2000, np.random.default_rng(11))])
    assert np.linalg.eigvalsh(found.covariance).max() <= 1 + 1e-9
    assert np.abs(logs - np.log(list(found.parameters.values()))).max() <= 4.31
    assert Fitted("zero").draws(2, np.random.default_rng(1)) == [Fitted("zero")] * 2


def test_parameter_table_shows_estimates_with_intervals():
    from types import SimpleNamespace

    from custvalue.lifetime import fit_spend, parameter_table

    table = table_at(erlang(800, 2, 12), 104)
    fitted = {model: fit(grouped_rows(table), model) for model in ("nbd", "mbg_cnbd_k")}
    forecast = SimpleNamespace(fitted=fitted, chosen="mbg_cnbd_k", spend=fit_spend(table))
    shown = parameter_table(forecast).set_index("model")
    assert shown["chosen"].tolist() == [False, True, True]
    assert shown.loc["mbg_cnbd_k", "parameters"].endswith(", k 2")
    q, spread = fitted["nbd"].parameters, np.exp(1.96 * np.sqrt(np.diag(fitted["nbd"].covariance)))
    assert shown.loc["nbd", "parameters"].startswith(
        f"r {q['r']:.4g} ({q['r'] / spread[0]:.3g}–{q['r'] * spread[0]:.3g}), alpha"
    )


class Flat:
    """A loss that tells nothing of its second parameter."""

    n = 100.0

    def __call__(self, at):
        return float(at[0] ** 2), np.array([2 * at[0], 0.0])


def test_a_loss_flat_in_one_direction_has_no_maximum_to_polish():
    flat = Flat()
    bend = curvature(flat, np.zeros(2))
    assert polished(flat, np.array([0.3, 0.1]), bend) is None
    assert polished(flat, np.array([0.3, 0.1]), bend + np.diag([0.0, 1.0])) is not None

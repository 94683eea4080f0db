"""Economics: acquisition cost, equity, retention, cohorts: by hand, in closed form, against known truth."""

import numpy as np
import pandas as pd
import pytest
from lifetime_customers import AS_OF, customers_of, odd_customers, simulated, table_as_of

from custvalue import economics as eco
from custvalue import lifetime as lt
from custvalue.beside import read_attributes
from custvalue.customers import customer_table
from custvalue.errors import DataError, UsageError
from custvalue.pipeline import read
from custvalue.timelines import add_on_share, cohort_table

# --- formulas


def test_the_seller_of_the_course():
    assert eco.acquisition_cost(eco.contact_cost(182_500, 365), 4) == 2_000
    assert eco.lifetime_revenue(1_000, 5, 0.3) == 1_500


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: eco.contact_cost(100, 0), 'rule "contacts" is 0. Allowed: >= 1'),
        (lambda: eco.contact_cost(-1, 10), 'rule "cost" is -1'),
        (lambda: eco.acquisition_cost(10, 0.5), 'rule "contacts_per_win" is 0.5'),
        (lambda: eco.lifetime_revenue(1, float("nan")), 'rule "years" is nan'),
        (lambda: eco.lifetime_revenue(1, 1, 2), r"Allowed: -1 \.\. 1"),
        (lambda: eco.retention_value(1, 1.2, 0.1), r"Allowed: 0 \.\. 1"),
        (lambda: eco.retention_value(1, 1.0, 0.0), "the value has no end"),
        (lambda: eco.payback_months(-1, []), 'rule "cost" is -1'),
    ],
)
def test_nonsense_is_refused(call, message):
    with pytest.raises(UsageError, match=message):
        call()


@pytest.mark.parametrize(("margin", "retention", "discount"), [(100, 0.8, 0.1), (3, 0.0, 0.1), (7, 0.99, 0.0)])
def test_constant_retention_is_the_sum_of_its_years(margin, retention, discount):
    years = np.arange(1, 3000)
    total = (margin * retention**years / (1 + discount) ** years).sum()
    assert eco.retention_value(margin, retention, discount) == pytest.approx(total)
    assert eco.retention_of(total, margin, discount) == pytest.approx(retention)


def test_retention_of_nothing_is_not_known():
    assert np.isnan(eco.retention_of(0, 0, 0.1))
    assert np.isnan(eco.retention_of(-5, 10, 0.1))


@pytest.mark.parametrize(
    ("cost", "margins", "months"),
    [
        (100, [60, 30, 20], 2.5),
        (60, [60], 1.0),
        (0, [], 0.0),
        (10, [5], np.nan),
        (10, [-5, 10, 10], 2.5),
        (5, [0, 5], 2),
    ],
)
def test_payback(cost, margins, months):
    assert eco.payback_months(cost, margins) == pytest.approx(months, nan_ok=True)


def test_campaigns_of_the_sample_cost_what_their_rows_say(sample):
    rows = pd.read_csv(sample / "campaigns.csv")
    found = eco.campaign_costs(rows).set_index("campaign")
    mailing = rows[(rows["campaign"] == "spring_mailing") & (rows["hold_out"] == 0)]
    assert found.loc["spring_mailing", "cost_per_contact"] == pytest.approx(3.5)
    assert found.loc["spring_mailing", "n_contacts"] == len(mailing)
    assert found.loc["spring_mailing", "cost_per_response"] == pytest.approx(
        3.5 * len(mailing) / mailing["responded"].sum()
    )
    by_channel = eco.campaign_costs(rows, "channel")
    assert by_channel["cost"].sum() == pytest.approx(rows["cost"].sum())
    with pytest.raises(DataError, match="lacks the columns: region, cost"):
        eco.campaign_costs(rows.drop(columns="cost"), "region")


# --- equity


@pytest.fixture(scope="module")
def shop():
    """The sample: customers, forecast, attributes, truth, orders."""
    from conftest import ROOT

    folder = ROOT / "data" / "sample"
    orders = read(folder)
    customers = customer_table(orders)
    truth = pd.read_csv(folder / "truth.csv", dtype={"customer_id": str}).set_index("customer_id")
    forecast = lt.forecast(customers, orders.as_of, lt.LifetimeRules(model="pareto_nbd"))
    return customers, forecast, read_attributes(folder), truth.loc[customers["customer_id"]], orders


def weekly(rate):
    return np.log1p(rate) * 7 / 365


def margin_share(customers):
    return customers["margin"].sum() / (customers["sales"] + customers["returns"]).sum()


def test_value_for_life_is_near_the_truth(shop):
    customers, forecast, _, truth, _ = shop
    orders = truth["alive"] * truth["rate_per_week"] / (truth["churn_per_week"] + weekly(0.1))
    value = (orders * truth["mean_order_value"]).sum() * margin_share(customers)
    assert forecast.table["clv_life"].sum() == pytest.approx(value, rel=0.05)


def test_a_new_customer_is_worth_what_the_truth_says(shop):
    customers, forecast, attributes, truth, _ = shop
    new = lt.new_customer_value(customers, forecast, attributes).iloc[0]
    orders = truth["rate_per_week"] / (truth["churn_per_week"] + weekly(0.1))
    later = (orders * truth["mean_order_value"]).mean() * margin_share(customers)
    assert new["later_value"] == pytest.approx(later, rel=0.08)
    assert new["n_new_12m"] == (customers["first_order"] > "2024-12-31").sum()
    recent = customers.loc[customers["tenure_days"] < 365, "customer_id"]
    costs = attributes.set_index("customer_id")["acquisition_cost"].loc[recent]
    assert new["acquisition_cost"] == pytest.approx(costs.mean())
    assert new["net_value"] == pytest.approx(new["first_value"] + new["later_value"] - costs.mean())
    assert new["payback_months"] == 0  # the first order brings more than winning the customer cost


def test_a_dear_customer_pays_back_later(shop):
    customers, forecast, attributes, *_ = shop
    dear = attributes.assign(acquisition_cost=1000.0)
    new = lt.new_customer_value(customers, forecast, dear).iloc[0]
    model, zero = forecast.fitted["pareto_nbd"], np.zeros(1)
    orders = model.expected_orders(zero, zero, zero, new["payback_months"] * 365 / 12 / 7)[0]
    earned = orders * forecast.spend.expected_spend([0], [np.nan])[0] * margin_share(customers)
    assert earned == pytest.approx(1000 - new["first_value"], rel=0.01)
    never = lt.new_customer_value(customers, forecast, attributes.assign(acquisition_cost=1e6)).iloc[0]
    assert np.isnan(never["payback_months"])


def test_equity_adds_up(shop):
    customers, forecast, attributes, _, orders = shop
    share = add_on_share(orders)
    equity = lt.customer_equity(customers, forecast, attributes, share).set_index("equity_part")
    assert tuple(equity.index) == lt.EQUITY_PARTS
    assert equity.loc[["retention", "add_on"], "value"].sum() == pytest.approx(forecast.table["clv_life"].sum())
    assert equity.loc["add_on", "value"] == pytest.approx(share * forecast.table["clv_life"].sum())
    new = lt.new_customer_value(customers, forecast, attributes).iloc[0]
    assert equity.loc["acquisition", "value"] == pytest.approx(new["n_new_12m"] * new["net_value"] / np.sqrt(1.1))
    assert equity["value"].iloc[:3].sum() == pytest.approx(equity.loc["all", "value"])
    assert equity["share_value"].iloc[:3].sum() == pytest.approx(1)


def test_parts_nobody_knows_stay_empty(shop):
    customers, forecast, *_ = shop
    equity = lt.customer_equity(customers, forecast).set_index("equity_part")
    assert equity.loc[["add_on", "acquisition"], "value"].isna().all()
    assert (
        equity.loc["all", "value"]
        == equity.loc["retention", "value"]
        == pytest.approx(forecast.table["clv_life"].sum())
    )
    young = table_as_of(*simulated(400, 5, days=500))
    found = lt.forecast(young, AS_OF, lt.LifetimeRules(model="pareto_nbd"))
    assert np.isnan(lt.new_customer_value(young, found)["n_new_12m"].iloc[0])


def test_without_a_model_there_is_no_equity():
    table = odd_customers("all one-timers")
    found = lt.forecast(table, AS_OF)
    assert lt.customer_equity(table, found)["value"].isna().all()
    assert lt.retention_what_if(table, found)["value"].isna().all()
    assert lt.new_customer_value(table, found).drop(columns="n_new_12m").isna().all(axis=None)


def test_lifetime_value_is_past_and_future_less_cost(shop):
    customers, forecast, attributes, *_ = shop
    some = attributes.head(100).sample(frac=1, random_state=0)
    table = lt.lifetime_values(customers, forecast, some).set_index("customer_id")
    known = table.loc[some["customer_id"]]
    assert known["lifetime_value"].to_numpy() == pytest.approx(
        (known["value_to_date"] + known["clv_life"] - known["acquisition_cost"]).to_numpy()
    )
    assert table["lifetime_value"].notna().sum() == 100
    assert table["value_to_date"].to_numpy() == pytest.approx(customers["margin"].to_numpy())


def test_return_on_each_way_of_winning_customers(shop):
    customers, forecast, attributes, *_ = shop
    table = lt.acquisition_return(customers, forecast, attributes).set_index("acquisition_channel")
    each = lt.lifetime_values(customers, forecast, attributes)
    assert (table["lifetime_value"] * table["n_customers"]).sum() == pytest.approx(each["lifetime_value"].sum())
    brought = table["value_to_date"] + table["clv_life"]
    assert table["value_per_cost"].to_numpy() == pytest.approx((brought / table["acquisition_cost"]).to_numpy())
    with pytest.raises(DataError, match="lacks the columns: list"):
        lt.acquisition_return(customers, forecast, attributes, "list")


# --- better retention


def test_better_retention_brings_what_the_truth_says(shop):
    from scipy.optimize import brentq

    customers, forecast, _, truth, _ = shop
    worth, churn = truth["alive"] * truth["rate_per_week"] * truth["mean_order_value"], truth["churn_per_week"]

    def stays(scale):
        return (np.exp(-scale * churn * 365 / 7) * worth).sum() / worth.sum()

    def value(scale):
        return (worth / (scale * churn + weekly(0.1))).sum()

    table = lt.retention_what_if(customers, forecast, [-0.05, 0, 0.05, 0.1])
    assert table.loc[1, "retention"] == pytest.approx(stays(1), abs=0.02)
    for _, row in table.iterrows():
        scale = brentq(lambda c, row=row: stays(c) - stays(1) - row["retention_change"], 0.01, 100)
        assert row["value_change_share"] == pytest.approx(value(scale) / value(1) - 1, abs=0.02)
    assert table.loc[1, ["value_change", "value_change_share"]].tolist() == [0, 0]
    assert table.loc[1, "value"] == pytest.approx(forecast.table["clv_life"].sum())


def test_equal_customers_follow_the_closed_form(shop):
    # all leave at the same known rate mu: V = m / (mu + d) with a constant stream m, retention exp(-52 mu)
    from dataclasses import replace

    customers, forecast, *_ = shop
    mu, shape = 0.004, 1e7
    model = lt.Fitted("pareto_nbd", {"r": 0.5, "alpha": 10.0, "s": shape, "beta": shape / mu})
    x, t_x, T = (column.to_numpy(dtype=float) for _, column in lt.fitting.model_inputs(customers).items())
    life = model.life_orders(x, t_x, T, weekly(0.1)) * forecast.table["expected_spend"] * forecast.parts["value_rate"]
    equal = replace(forecast, fitted={"pareto_nbd": model}, table=forecast.table.assign(clv_life=life))
    table = lt.retention_what_if(customers, equal, [0.0, 0.05])
    week = 365 / 7
    now = np.exp(-mu * week) * (1 - np.exp(-mu)) / mu  # the rate of the week that begins a year from now
    assert table.loc[0, "retention"] == pytest.approx(now, rel=1e-4)
    slower = -np.log(np.exp(-mu * week) + 0.05) / week
    expected = (mu + weekly(0.1)) / (slower + weekly(0.1)) - 1
    assert table.loc[1, "value_change_share"] == pytest.approx(expected, rel=0.01)


def test_retention_can_not_pass_one_or_fall_without_leaving(shop):
    customers, forecast, *_ = shop
    assert lt.retention_what_if(customers, forecast, [0.5])["value"].isna().all()
    stay = customers_of([5, 6, 7] * 20, [300] * 60, [320] * 60)
    nbd = lt.forecast(stay, AS_OF, lt.LifetimeRules(model="nbd"))
    table = lt.retention_what_if(stay, nbd, [-0.05, 0.0, 0.05])
    assert table["value"].isna().all()


def test_a_retention_cost_makes_retention_worth_less(shop):
    customers, forecast, *_ = shop
    dear = lt.forecast(customers, AS_OF_SAMPLE, lt.LifetimeRules(model="pareto_nbd", retention_cost=20.0))
    free, paid = (lt.retention_what_if(customers, found, [0.05])["value_change"].iloc[0] for found in (forecast, dear))
    assert 0 < paid < free


AS_OF_SAMPLE = "2025-12-31"


# --- cohorts


@pytest.fixture
def cohorts():
    rows = [
        ("a", "2024-01-05", 10), ("a", "2024-01-20", 10), ("a", "2024-03-02", 40), ("b", "2024-01-31", 20),
        ("b", "2024-02-03", -5), ("c", "2024-02-11", 30), ("c", "2024-03-31", 6), ("d", "2024-03-01", 8),
    ]  # fmt: skip
    return read(pd.DataFrame(rows, columns=["customer_id", "order_date", "amount"]))


def test_cohorts_by_hand(cohorts):
    buyers = cohort_table(cohorts).set_index("cohort")
    assert buyers["n_customers"].to_dict() == {"2024-01": 2, "2024-02": 1, "2024-03": 1}
    expected = [[1, 0, 0.5], [1, 1, np.nan], [1, np.nan, np.nan]]
    np.testing.assert_allclose(buyers[["0", "1", "2"]], expected)
    sales = cohort_table(cohorts, "sales").set_index("cohort")
    np.testing.assert_allclose(sales[["0", "1", "2"]], [[20, -2.5, 20], [30, 6, np.nan], [8, np.nan, np.nan]])
    assert cohort_table(cohorts, "margin")[["0", "1"]].iloc[0].isna().tolist() == [True, True]


def test_a_period_that_has_not_ended_is_blank(cohorts):
    quarters = cohort_table(cohorts, period="quarter")
    assert quarters.columns.tolist() == ["cohort", "n_customers", "0"]
    rows = pd.DataFrame({"customer_id": ["a", "b"], "order_date": ["2024-01-05", "2024-02-20"], "amount": [1, 2]})
    from custvalue.config import load_settings

    early = cohort_table(read(rows, load_settings(as_of="2024-02-25"))).set_index("cohort")
    np.testing.assert_allclose(early[["0"]], [[1], [np.nan]])  # February has not ended
    assert early.columns.tolist() == ["n_customers", "0"]


def test_cohorts_of_the_sample_agree_with_pandas(shop):
    *_, customers_orders = shop
    table = cohort_table(customers_orders).set_index("cohort")
    customers = shop[0]
    first = customers["first_order"].dt.to_period("Q").astype(str)
    assert table["n_customers"].to_dict() == first.value_counts().sort_index().to_dict()
    cells = table.drop(columns="n_customers")
    assert cells.shape == (12, 12)
    seen = np.add.outer(np.arange(12), np.arange(12)) < 12
    assert (cells.notna().to_numpy() == seen).all()
    sales = cohort_table(customers_orders, "sales").set_index("cohort")
    whole = (sales.drop(columns="n_customers").sum(axis=1) * sales["n_customers"]).sum()
    assert whole == pytest.approx(customers["sales"].sum())


@pytest.mark.parametrize(("measure", "period"), [("orders", ""), ("sales", "week")])
def test_cohorts_of_another_kind_are_refused(cohorts, measure, period):
    with pytest.raises(UsageError, match="it can be one of"):
        cohort_table(cohorts, measure, period)


def test_add_on_share_by_hand():
    rows = [("a", "2024-01-01", 10, "x"), ("a", "2024-01-05", 30, "x"), ("a", "2024-01-09", 50, "y"),
            ("b", "2024-01-02", 5, "y"), ("b", "2024-01-31", 20, "y"), ("b", "2024-01-31", -20, "z")]  # fmt: skip
    columns = ["customer_id", "order_date", "amount", "category"]
    assert add_on_share(read(pd.DataFrame(rows, columns=columns))) == pytest.approx(0.5)
    assert np.isnan(add_on_share(read(pd.DataFrame(rows, columns=columns).drop(columns="category"))))
    assert np.isnan(add_on_share(read(pd.DataFrame(rows, columns=columns).head(1))))

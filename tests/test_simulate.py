"""The simulated store against its own truth: the process, the money, the lists, the bytes on disk."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

from custvalue.errors import UsageError
from custvalue.labels import catalogue
from custvalue.simulate import CAMPAIGNS, DIRTY_ROWS, PROCESS, Shop, simulate, with_dirty_rows, write_sample

SAMPLE = Path(__file__).parents[1] / "data" / "sample"
LAST_DAY = pd.Timestamp("2025-12-31")


@pytest.fixture(scope="module")
def shop() -> Shop:
    return simulate()


@pytest.fixture(scope="module")
def summary(shop: Shop) -> pd.DataFrame:
    """One row per customer: orders, days of purchase, t_x and T in weeks, gross spend."""
    by_customer = bought(shop.orders).groupby("customer_id")
    first, last = by_customer["order_date"].min(), by_customer["order_date"].max()
    return pd.DataFrame(
        {
            "first": first,
            "n_orders": by_customer["order_id"].nunique(),
            "n_days": by_customer["order_date"].nunique(),
            "t_x": (last - first).dt.days / 7,
            "T": (LAST_DAY - first).dt.days / 7,
            "spend": by_customer["amount"].sum(),
        }
    )


def bought(orders: pd.DataFrame) -> pd.DataFrame:
    return orders[orders["amount"] > 0]


def expected_repeats(weeks: pd.Series) -> pd.Series:
    """E[X(t)] of the Pareto/NBD (Schmittlein, Morrison and Colombo 1987, equation 17)."""
    r, alpha, s, beta = PROCESS.r, PROCESS.alpha, PROCESS.s, PROCESS.beta
    return r * beta / (alpha * (s - 1)) * (1 - (beta / (beta + weeks)) ** (s - 1))


# The bytes on disk


def test_sample_is_the_same_bytes_when_made_again(tmp_path):
    subprocess.run([sys.executable, "-m", "custvalue.simulate", str(tmp_path)], check=True)
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    kept = {path.name: path.read_bytes() for path in SAMPLE.iterdir() if path.name != "README.md"}
    assert sorted(made) == sorted(kept)
    assert [name for name in made if made[name] != kept[name]] == []


def test_sample_is_small_and_plain():
    files = list(SAMPLE.iterdir())
    assert sum(path.stat().st_size for path in files) <= 4_000_000
    for path in files:
        content = path.read_bytes()
        assert b"\r" not in content, path.name
        assert content.decode("utf-8").endswith("\n"), path.name


def test_another_seed_gives_another_shop():
    first, same, other = simulate(50, seed=1), simulate(50, seed=1), simulate(50, seed=2)
    pd.testing.assert_frame_equal(first.orders, same.orders)
    assert not first.truth["rate_per_week"].equals(other.truth["rate_per_week"])


@pytest.mark.parametrize("n", [1, 2, 3, 17])
def test_smallest_shops(n, tmp_path):
    shop = simulate(n, seed=4)
    assert len(shop.truth) == len(shop.customers) == n
    assert shop.orders["customer_id"].nunique() == n
    assert len(write_sample(tmp_path / "new" / "folder", n_customers=n)) == 7


@pytest.mark.parametrize("n", [0, -5, 2.5, "many"])
def test_wrong_number_of_customers(n):
    with pytest.raises(UsageError) as caught:
        simulate(n)
    assert caught.value.code == "simulated_customers"
    assert caught.value.values == {"got": n}


def test_file_in_the_way_of_the_folder(tmp_path):
    (tmp_path / "taken").write_text("", encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        write_sample(tmp_path / "taken")
    assert caught.value.code == "sample_folder"


# The process


def test_parameters_of_the_customers_follow_their_distributions(shop):
    truth = shop.truth
    rate = stats.gamma(PROCESS.r, scale=1 / PROCESS.alpha)
    churn = stats.gamma(PROCESS.s, scale=1 / PROCESS.beta)
    value = stats.invgamma(PROCESS.q, scale=PROCESS.p * PROCESS.v)
    assert stats.kstest(truth["rate_per_week"], rate.cdf).pvalue > 0.001
    assert stats.kstest(truth["churn_per_week"], churn.cdf).pvalue > 0.001
    assert stats.kstest(truth["mean_order_value"], value.cdf).pvalue > 0.001
    independent = truth[["rate_per_week", "churn_per_week", "mean_order_value"]].corr("spearman").to_numpy()
    assert np.abs(independent - np.eye(3)).max() < 4 / np.sqrt(len(truth))


def test_share_alive_against_the_closed_form(shop, summary):
    weeks = summary["T"] + 0.5 / 7
    p = (PROCESS.beta / (PROCESS.beta + weeks)) ** PROCESS.s
    error = np.sqrt((p * (1 - p)).sum())
    assert abs(shop.truth["alive"].sum() - p.sum()) < 3 * error


def test_number_of_orders_against_the_closed_form(summary):
    rest = summary["n_orders"] - 1 - expected_repeats(summary["T"] + 0.5 / 7)
    assert abs(rest.sum()) < 3 * rest.std() * np.sqrt(len(rest))


def test_orders_of_the_living_follow_their_own_rate(shop, summary):
    truth = shop.truth.set_index("customer_id")
    alive = truth["alive"] == 1
    expected = truth.loc[alive, "rate_per_week"] * (summary.loc[alive, "T"] + 0.5 / 7)
    assert abs((summary.loc[alive, "n_orders"] - 1 - expected).sum()) < 4 * np.sqrt(expected.sum())


def test_spend_of_orders_follows_the_mean_of_the_customer(shop, summary):
    mean = shop.truth.set_index("customer_id")["mean_order_value"].reindex(summary.index)
    error = np.sqrt((mean**2 * summary["n_orders"] / PROCESS.p).sum())
    assert abs((summary["spend"] - mean * summary["n_orders"]).sum()) < 4 * error


def test_lifetimes_finds_the_parameters_again(summary):
    from lifetimes import ParetoNBDFitter

    rows = summary.assign(x=summary["n_days"] - 1)[["x", "t_x", "T"]].value_counts().reset_index()
    found = ParetoNBDFitter().fit(rows["x"], rows["t_x"], rows["T"], weights=rows["count"]).params_
    true = pd.Series({"r": PROCESS.r, "alpha": PROCESS.alpha, "s": PROCESS.s, "beta": PROCESS.beta})
    assert ((found / true).between(0.8, 1.25)).all(), found.to_dict()


def test_the_store_looks_like_one(summary):
    sales = summary["spend"].sort_values(ascending=False)
    assert 0.35 < (summary["n_days"] == 1).mean() < 0.45
    assert 0.65 < sales.head(len(sales) // 5).sum() / sales.sum() < 0.75
    assert 300 < summary["spend"].sum() / summary["n_orders"].sum() < 500
    assert (summary["n_orders"] - summary["n_days"]).sum() < 0.015 * summary["n_orders"].sum()
    assert summary["first"].between("2023-01-01", "2025-12-31").all()


def test_truth_is_consistent(shop):
    truth = shop.truth
    assert truth["alive"].isin([0, 1]).all()
    assert (truth.loc[truth["alive"] == 0, "expected_orders_12m"] == 0).all()
    expected_value = truth["expected_orders_12m"] * truth["mean_order_value"]
    np.testing.assert_allclose(truth["expected_value_12m"], expected_value)
    for row in truth[truth["alive"] == 1].head(5).itertuples():
        weeks_alive, _ = integrate.quad(stats.expon(scale=1 / row.churn_per_week).sf, 0, 365 / 7)
        assert row.expected_orders_12m == pytest.approx(row.rate_per_week * weeks_alive)


# Orders


def test_lines_sum_to_orders():
    from custvalue.simulate.draw import stream
    from custvalue.simulate.purchases import draw_lines, draw_orders, draw_people

    people = draw_people(stream(5, "people"), 2000, PROCESS)
    orders = draw_orders(stream(5, "orders"), people, PROCESS)
    lines = draw_lines(stream(5, "lines"), people, orders)
    assert (lines.groupby("order")["cents"].sum() == orders["cents"]).all()
    assert (lines["cents"] > 0).all()


def test_order_lines(shop):
    lines = bought(shop.orders)
    per_order = lines.groupby("order_id")
    assert per_order.size().between(1, 4).all()
    assert (per_order[["customer_id", "order_date", "channel"]].nunique() == 1).all(axis=None)
    assert (lines["cost"] < lines["amount"]).all()
    assert (lines["product"].str[:3] == lines["category"].str[:3].str.upper()).all()
    assert (lines.groupby("category")["product"].nunique() == 12).all()
    assert 10 <= lines.duplicated().sum() <= 40


def test_returns_bring_back_a_line_that_was_bought(shop):
    back = shop.orders[shop.orders["amount"] < 0]
    keys = ["order_id", "customer_id", "product", "amount", "cost"]
    pairs = back.assign(amount=-back["amount"], cost=-back["cost"]).merge(
        bought(shop.orders).drop_duplicates(keys), on=keys, how="left", suffixes=("", "_bought")
    )
    assert 0.015 < len(back) / len(shop.orders) < 0.025
    assert (pairs["order_date"] - pairs["order_date_bought"]).dt.days.between(2, 20).all()
    assert shop.orders["order_date"].max() == LAST_DAY


def test_all_corners_of_the_value_matrix_are_populated(shop):
    total = shop.orders.groupby("customer_id")[["amount", "cost"]].sum()
    rate = 1 - total["cost"] / total["amount"]
    corners = pd.crosstab(total["amount"] > total["amount"].median(), rate > rate.median())
    assert (corners > 0.15 * len(total)).all(axis=None)


def test_dirty_rows_come_on_top_of_the_clean_ones(shop):
    dirty = with_dirty_rows(shop.orders)
    amount = pd.to_numeric(dirty["amount"], errors="coerce")
    date = pd.to_datetime(dirty["order_date"], format="%Y-%m-%d", errors="coerce")
    found = {
        "no_customer": (dirty["customer_id"] == "").sum(),
        "bad_date": date.isna().sum(),
        "bad_amount": amount.isna().sum(),
        "future": (date.dt.year == 2099).sum(),
        "year_1970": (date.dt.year == 1970).sum(),
        "zero_amount": (amount == 0).sum(),
    }
    assert found == DIRTY_ROWS
    usable = (dirty["customer_id"] != "") & date.dt.year.between(2023, 2025) & amount.notna() & (amount != 0)
    clean = dirty[usable].assign(order_date=date, amount=amount, cost=dirty["cost"].astype(float))
    expected = shop.orders.astype({"order_date": clean["order_date"].dtype})
    pd.testing.assert_frame_equal(clean.reset_index(drop=True), expected)


# Customers, events, campaigns, labels


def test_referrers_joined_earlier(shop, summary):
    referred = shop.customers.dropna(subset="referrer")
    first = summary["first"]
    assert (shop.customers["referrer"].notna() == (shop.customers["acquisition_channel"] == "referral")).all()
    assert (first.loc[referred["referrer"]].to_numpy() < first.loc[referred["customer_id"]].to_numpy()).all()
    assert referred["referrer"].isin(referred["customer_id"]).sum() > 50
    assert referred["referrer"].value_counts().max() >= 5


def test_referred_customers_are_worth_most(shop):
    worth = shop.customers.merge(shop.truth).groupby("acquisition_channel")["expected_value_12m"].mean()
    assert worth.idxmax() == "referral"


def test_nobody_spends_more_here_than_everywhere(shop):
    lines = bought(shop.orders)
    years_back = (LAST_DAY - lines["order_date"]).dt.days // 365
    most = lines.groupby(["customer_id", years_back])["amount"].sum().groupby("customer_id").max()
    everywhere = shop.customers.set_index("customer_id")["category_spend_year"]
    assert (everywhere >= most.round(2)).all()


def test_events(shop, summary):
    events = shop.events
    views = events["event"] == "view"
    assert events["event_date"].is_monotonic_increasing
    assert (events["category"].notna() == views).all()
    assert (events["price_band"].notna() == views).all()
    assert (events["event_date"].to_numpy() >= summary["first"].loc[events["customer_id"]].to_numpy()).all()
    alive = shop.truth.set_index("customer_id")["alive"]
    n_events = events["customer_id"].value_counts().reindex(alive.index, fill_value=0).groupby(alive).mean()
    assert n_events[1] > 1.5 * n_events[0]


def test_new_categories_are_viewed_just_before_they_are_bought(shop):
    keys = ["customer_id", "category"]
    first = bought(shop.orders).groupby(keys, as_index=False)["order_date"].min()
    views = shop.events[shop.events["event"] == "view"].merge(first, on=keys)
    lead = (views["order_date"] - views["event_date"]).dt.days
    assert lead.between(1, 14).sum() > 5 * lead.between(15, 28).sum()


@pytest.mark.parametrize("campaign", CAMPAIGNS, ids=lambda campaign: campaign.code)
def test_campaign_responses_follow_the_stated_rates(shop, campaign):
    sent = shop.campaigns[shop.campaigns["campaign"] == campaign.code]
    for held, chance in ((0, campaign.base + campaign.uplift), (1, campaign.base)):
        group = sent.loc[sent["hold_out"] == held, "responded"]
        assert stats.binomtest(int(group.sum()), len(group), chance).pvalue > 0.001
    assert stats.binomtest(int(sent["hold_out"].sum()), len(sent), 0.1).pvalue > 0.001


def test_campaigns_reach_only_customers_who_agreed(shop, summary):
    sent = shop.campaigns.merge(shop.customers)
    assert (sent["consent"] == 1).all()
    assert (summary["first"].loc[sent["customer_id"]].to_numpy() < sent["sent_date"].to_numpy()).all()
    assert not sent.duplicated(["customer_id", "campaign"]).any()
    assert ((sent["revenue"] > 0) == (sent["responded"] == 1)).all()
    assert ((sent["cost"] > 0) == (sent["hold_out"] == 0)).all()


def test_every_code_has_a_label_in_both_languages(shop):
    labels = shop.labels
    assert (labels[["en", "zh"]].map(len) > 0).all(axis=None)
    for column in catalogue("sample"):
        used: set[str] = set()
        for table in (shop.orders, shop.customers, shop.events, shop.campaigns):
            used |= set(table[column].dropna()) if column in table else set()
        assert used == set(labels.loc[labels["column"] == column, "code"]), column

"""Known layouts: each read as its system writes it, from a small file."""

# ruff: noqa: E501

from __future__ import annotations

import pytest

from custvalue.aliases import layout_of, match_columns
from custvalue.config import load_settings
from custvalue.customers import customer_table
from custvalue.errors import DataError
from custvalue.pipeline import read

SHOPIFY = (
    "Name,Email,Financial Status,Paid at,Subtotal,Shipping,Total,Created at,Lineitem quantity,Lineitem name,"
    "Lineitem price,Cancelled at\n"
    "#1001,a@x.cn,paid,2024-01-05 10:00:01 +0800,50.00,5.00,55.00,2024-01-05 10:00:00 +0800,2,Cup,10.00,\n"
    "#1001,a@x.cn,,,,,,2024-01-05 10:00:00 +0800,1,Pot,30.00,\n"
    "#1002,b@x.cn,voided,,10.00,5.00,15.00,2024-01-06 10:00:00 +0800,1,Cup,10.00,\n"
    "#1002,b@x.cn,,,,,,2024-01-06 10:00:00 +0800,1,Pot,30.00,\n"
    "#1003,b@x.cn,partially_refunded,,10.00,5.00,15.00,2024-01-31 10:00:00 +0800,1,Cup,10.00,\n"
)
TAOBAO = (
    "订单编号,买家会员名,买家应付货款,总金额,买家实际支付金额,订单状态,订单创建时间,订单付款时间 ,宝贝标题 ,宝贝总数量\n"
    '="1234567890123456789",小王,105,105,100.00,交易成功,2024-01-05 10:00:00,2024-01-05 10:01:00,杯子,2\n'
    '="1234567890123456790",小王,30,30,0.00,交易关闭,2024-01-06 10:00:00,,茶壶,1\n'
    '="1234567890123456791",小李,30,30,30.00,交易成功,2024-01-31 10:00:00,2024-01-31 10:01:00,茶壶,1\n'
)
#: Layout -> text of a file, the columns it must find, rows accepted, customers, money.
LAYOUTS = {
    "online_retail": (
        "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
        "536365,85123A,HEART,6,12/1/2010 8:26,2.55,17850,UK\n536366,71053,LANTERN,1,12/15/2010 8:26,3.39,13047,UK\n",
        {"customer_id": "CustomerID", "unit_price": "UnitPrice", "region": "Country"},
        (2, 2, 18.69),
    ),
    "online_retail_ii": (
        "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country\n"
        "489434,85048,LIGHTS,12,2009-12-01 07:45:00,6.95,13085.0,UK\n",
        {"customer_id": "Customer ID", "unit_price": "Price", "order_id": "Invoice"},
        (1, 1, 83.40),
    ),
    "superstore": (
        "Row ID,Order ID,Order Date,Ship Date,Ship Mode,Customer ID,Customer Name,Segment,Country,City,State,Postal Code,"
        "Region,Product ID,Category,Sub-Category,Product Name,Sales,Quantity,Discount,Profit\n"
        "1,CA-1,11/8/2016,11/11/2016,Second,CG-12520,Claire,Consumer,United States,Henderson,Kentucky,42420,South,"
        "FUR-1,Furniture,Bookcases,Case,261.96,2,0,41.91\n"
        "2,CA-2,6/12/2016,6/16/2016,Second,DV-13045,Darrin,Corporate,United States,LA,California,90036,West,OFF-1,"
        "Office,Labels,Labels,14.62,2,0,6.87\n3,CA-3,10/28/2016,11/1/2016,Second,DV-13045,Darrin,Corporate,United States,"
        "LA,California,90036,West,OFF-1,Office,Labels,Labels,1.00,2,0,0.50\n",
        {"amount": "Sales", "margin": "Profit", "region": "Region", "category": "Category"},
        (3, 2, 277.58),
    ),
    "superstore_zh": (
        "行 ID,订单 ID,订单日期,发货日期,邮寄方式,客户 ID,客户名称,细分,城市,省/自治区,国家/地区,地区,产品 ID,类别,子类别,产品名称,"
        "销售额,数量,折扣,利润\n"
        "1,US-1,2016/4/27,2016/4/29,二级,曾惠-14485,曾惠,公司,杭州,浙江,中国,华东,办公用-1,办公用品,用品,剪刀,129.696,2,0.4,-60.704\n",
        {"amount": "销售额", "margin": "利润", "region": "地区", "quantity": "数量", "category": "类别"},
        (1, 1, 129.70),
    ),
    "olist": (
        "order_id,customer_id,customer_unique_id,order_status,order_purchase_timestamp,price,freight_value,payment_value,"
        "product_id,product_category_name,customer_state\n"
        "o1,c1,p1,delivered,2017-10-02 10:56:33,29.99,8.72,38.71,x,casa,SP\n"
        "o2,c2,p1,delivered,2018-01-15 10:56:33,10.01,8.72,18.73,y,casa,SP\n"
        "o3,c3,p2,canceled,2018-01-31 10:56:33,99.00,8.72,107.72,y,casa,SP\n",
        {"customer_id": "customer_unique_id", "amount": "price", "status": "order_status", "region": "customer_state"},
        (2, 1, 40.00),
    ),
    "shopify": (
        SHOPIFY,
        {"customer_id": "Email", "order_id": "Name", "unit_price": "Lineitem price", "order_date": "Created at"},
        (3, 2, 60.00),
    ),
    "shopify_orders": (
        "Name,Email,Financial Status,Paid at,Subtotal,Total,Created at\n"
        "#1,a@x.cn,paid,2024-01-05 10:00:00 +0800,50,55,2024-01-05 10:00:00 +0800\n"
        "#2,a@x.cn,refunded,2024-01-06 10:00:00 +0800,50,55,2024-01-06 10:00:00 +0800\n",
        {"amount": "Subtotal", "order_date": "Created at"},
        (1, 1, 50.00),
    ),
    "woocommerce": (
        "Order Number,Order Status,Order Date,Email (Billing),Order Total Amount,SKU,Item Name,Quantity,Item Cost\n"
        "71,Completed,2024-01-05 10:30,a@x.de,25.00,s1,Cup,2,5.00\n71,Completed,2024-01-05 10:30,a@x.de,25.00,s2,Pot,1,"
        "15.00\n72,Cancelled,2024-01-06 10:30,a@x.de,5.00,s1,Cup,1,5.00\n",
        {"customer_id": "Email (Billing)", "unit_price": "Item Cost", "product": "SKU"},
        (2, 1, 25.00),
    ),
    "woocommerce_analytics": (
        "Date,Order #,N. Revenue,Status,Customer,Customer type,Product(s),Items sold,Coupon(s)\n"
        "2024-01-05 10:30:00,71,25.00,completed,Ann Lee,new,2× Cup,2,\n",
        {"amount": "N. Revenue", "order_id": "Order #", "customer_id": "Customer"},
        (1, 1, 25.00),
    ),
    "taobao": (
        TAOBAO,
        {"customer_id": "买家会员名", "amount": "买家实际支付金额", "order_date": "订单创建时间", "status": "订单状态"},
        (2, 2, 130.00),
    ),
    "jd": (
        "订单号,商品ID,商品名称,订购数量,下单时间,京东价,订单金额,结算金额,订单状态,下单帐号\n"
        "1,100,杯子,2,2024-01-05 10:00:00,10.00,50.00,50.00,完成,jd_1\n"
        "1,101,茶壶,1,2024-01-05 10:00:00,30.00,50.00,50.00,完成,jd_1\n"
        "2,101,茶壶,1,2024-01-06 10:00:00,30.00,30.00,30.00,(删除)取消,jd_1\n",
        {"customer_id": "下单帐号", "unit_price": "京东价", "quantity": "订购数量"},
        (2, 1, 50.00),
    ),
    "complete_journey": (
        "household_id,store_id,basket_id,product_id,quantity,sales_value,retail_disc,week,transaction_timestamp\n"
        "900,330,31198570044,1095275,1,0.50,0.00,1,2017-01-01 11:53:26\n",
        {"customer_id": "household_id", "order_id": "basket_id", "amount": "sales_value"},
        (1, 1, 0.50),
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layout(layout, tmp_path):
    text, columns, (n, customers, money) = LAYOUTS[layout]
    (tmp_path / "orders.csv").write_text(text, "utf-8")
    orders = read(tmp_path, whole_file=True)
    mapping = dict(orders.mapping.itertuples(index=False))
    assert columns.items() <= {key: name.strip() for key, name in mapping.items()}.items()
    facts = orders.facts
    assert (facts["rows_accepted"], facts["customers"], facts["money_accepted"]) == (n, customers, money)
    assert facts["rows_in"] == text.count("\n") - 1 == facts["rows_accepted"] + facts["rows_quarantined"]


def test_shopify_counts_lines_once_and_a_voided_order_with_all_its_lines(tmp_path):
    (tmp_path / "orders.csv").write_text(SHOPIFY, "utf-8")
    orders = read(tmp_path, whole_file=True)
    held = orders.quarantine.execute()
    assert held[["row_number", "reason"]].to_numpy().tolist() == [[3, "not_completed"], [4, "not_completed"]]
    assert customer_table(orders)["sales"].tolist() == [50, 10]
    assert "order_totals_unused" in orders.notes


def test_taobao_numbers_keep_19_digits(tmp_path):
    (tmp_path / "orders.csv").write_bytes(TAOBAO.encode("gb18030"))
    orders = read(tmp_path, whole_file=True)
    assert sorted(orders.table.order_id.execute()) == ["1234567890123456789", "1234567890123456791"]


def test_dunnhumby_counts_days_from_a_day_the_config_gives(tmp_path):
    rows = "household_key,BASKET_ID,DAY,PRODUCT_ID,QUANTITY,SALES_VALUE\n2375,26984851472,1,1004906,1,1.39\n"
    (tmp_path / "orders.csv").write_text(rows + "2375,26984851473,366,1004906,1,0.61\n", "utf-8")
    with pytest.raises(DataError, match="day_one"):
        read(tmp_path)
    (tmp_path / "custvalue.toml").write_text('[read]\nday_one = "2014-01-01"\n', "utf-8")
    facts = read(tmp_path, load_settings(data=tmp_path), whole_file=True).facts
    assert (facts["first_date"], facts["last_date"], facts["money_accepted"]) == ("2014-01-01", "2015-01-01", 2.0)


def test_the_config_goes_before_the_layout():
    names = ["order_id", "customer_id", "customer_unique_id", "order_purchase_timestamp", "price"]
    assert layout_of(names) == "olist"
    assert match_columns(names)["customer_id"] == "customer_unique_id"
    assert match_columns(names, {"customer_id": "customer_id"})["customer_id"] == "customer_id"


def test_two_dates_in_an_unknown_layout_are_asked_about():
    with pytest.raises(DataError, match="created_at, purchase_date"):
        match_columns(["customer_id", "created_at", "purchase_date", "amount"])


def test_export_of_a_chinese_shop_with_its_own_headings():
    columns = ["会员号", "下单时间", "成交时间", "实付金额", "订单号", "一级类目"]
    found = match_columns(columns, {})
    assert {name: found[name] for name in ("customer_id", "amount", "order_id", "category")} == {
        "customer_id": "会员号",
        "amount": "实付金额",
        "order_id": "订单号",
        "category": "一级类目",
    }

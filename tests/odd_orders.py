"""Writing odd order files, and checking that every row of them is accounted for."""

from __future__ import annotations

from click.testing import CliRunner

from custvalue.cli import main
from custvalue.customers import customer_table

HEAD = "customer_id,order_date,amount\n"
ROWS = "1,2024-01-05,10\n1,2024-02-10,20\n2,2024-03-31,15\n"


def put(path, content, encoding="utf-8"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


def run(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


def reasons(orders):
    return orders.quality.query("rows > 0").set_index("reason")["rows"].to_dict()


def set_aside(orders):
    return orders.quarantine.execute()


def accounted(orders):
    """Rows in = rows used + rows set aside, in the counts as in the tables themselves."""
    facts = orders.facts
    assert facts["rows_in"] == facts["rows_accepted"] + facts["rows_quarantined"]
    assert orders.table.count().execute() == facts["rows_accepted"]
    held = set_aside(orders)
    assert len(held) == facts["rows_quarantined"]
    assert held["reason"].notna().all()
    assert held["row_number"].is_unique
    assert customer_table(orders)["customer_id"].nunique() <= facts["customers"]
    return facts

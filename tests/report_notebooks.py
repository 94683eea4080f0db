"""Small notebooks for the tests of the report, written with nbformat."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

PARAMETERS = 'data = ""\nas_of = ""\nlanguage = "en"\nconfig = ""\noutput = ""'
METADATA = {
    "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
    "language_info": {"name": "python"},
}
ORDERS = """customer_id,order_date,amount
a,2024-01-10,100
a,2024-03-31,50
b,2024-02-20,20.5
c,2024-03-05,30
,2024-03-06,70
"""


def cell(kind: str, source: str, *tags: str):
    make = new_markdown_cell if kind == "markdown" else new_code_cell
    return make(source, metadata={"tags": list(tags)})


def write_notebook(folder: Path, name: str, *cells, parameters: str = PARAMETERS) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    notebook = new_notebook(cells=[cell("code", parameters, "parameters"), *cells], metadata=METADATA)
    for place, written in enumerate(notebook.cells):
        written.id = f"cell-{place}"
    nbformat.write(notebook, folder / f"{name}.ipynb")
    return folder


def write_orders(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "orders.csv").write_text(ORDERS, "utf-8")
    return folder / "orders.csv"

"""The monthly notebooks in Airflow, each by papermill: needs Airflow 3 and apache-airflow-providers-papermill.

``NOTEBOOKS`` is what ``custvalue init /srv/shop`` wrote. The executed notebooks and their tables are in one folder a
month, those of the month before the run.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from airflow import DAG
from airflow.providers.papermill.operators.papermill import PapermillOperator
from airflow.providers.standard.operators.bash import BashOperator

NOTEBOOKS = Path("/srv/shop/notebooks")
#: The last day of the month before the run, which the report is about, and the folder of that month.
LAST_DAY = "(data_interval_end.replace(day=1) - macros.timedelta(days=1))"
AS_OF = "{{ " + LAST_DAY + ".strftime('%Y-%m-%d') }}"
OUT = "/srv/shop/reports/{{ " + LAST_DAY + ".strftime('%Y-%m') }}"

with DAG(
    "custvalue",
    schedule="15 6 2 * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 1, "retry_delay": timedelta(minutes=15)},
) as dag:
    folder = BashOperator(task_id="folder", bash_command=f"mkdir -p {OUT}/tables")
    for notebook in sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb")):
        folder >> PapermillOperator(
            task_id=notebook.stem,
            input_nb=str(notebook),
            output_nb=f"{OUT}/{notebook.name}",
            parameters={
                "data": "/srv/shop/data",
                "as_of": AS_OF,
                "language": "en",
                "config": "/srv/shop/custvalue.toml",
                "output": f"{OUT}/tables",
            },
        )

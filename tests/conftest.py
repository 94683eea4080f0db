"""What several tests need: small order tables, the sample, and the real data where they lie beside the checkout."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parent.parent
REAL = ROOT.parent / "shared" / "data"


def real_file(name: str) -> Path:
    """A file of the real data; the test is skipped where they are not."""
    path = REAL / name
    if not path.exists():
        pytest.skip(f"real data not beside the checkout: {name}")
    return path


@pytest.fixture(scope="session")
def sample() -> Path:
    return ROOT / "data" / "sample"


@pytest.fixture(scope="session")
def postgres_url():
    """The URL of an empty database of a real PostgreSQL server, started once; skipped where none is installed."""
    from engines import postgres_server

    with postgres_server() as url:
        yield url


@pytest.fixture
def rows() -> pd.DataFrame:
    """Six order rows of three customers: two buy again, one returns something."""
    return pd.DataFrame(
        {
            "customer_id": ["01", "01", "01", "02", "02", "03"],
            "order_id": ["a", "a", "b", "c", "c", "d"],
            "order_date": [
                "2024-01-01",
                "2024-01-01",
                "2024-01-31",
                "2024-02-10",
                "2024-02-15",
                "2024-02-29",
            ],
            "amount": ["10", "5.50", "20", "30", "-10", "7"],
            "category": ["x", "y", "x", "x", "x", "y"],
        }
    )

"""Whether somebody sits at the notebook: explorers cost nothing and leave nothing in a run without a reader."""

from __future__ import annotations

import os
import sys

__all__ = ["is_interactive"]


def is_interactive(asked: bool | None = None) -> bool:
    """Whether to show an explorer: as ``asked``, else where a person's Jupyter server, VS Code or Colab runs the cell.

    Papermill, nbconvert and nbval start kernels of their own, without a session of a Jupyter server.
    ``CUSTVALUE_EXPLORE=0`` in the environment switches the explorers off, ``1`` on.

    >>> is_interactive(False)
    False
    """
    if asked is not None:
        return asked
    switch = os.environ.get("CUSTVALUE_EXPLORE", "")
    if switch:
        return switch != "0"
    main = sys.modules.get("__main__")
    return (
        bool(os.environ.get("JPY_SESSION_NAME")) or hasattr(main, "__vsc_ipynb_file__") or "google.colab" in sys.modules
    )

"""Where the notebooks and the sample are: beside the package in a checkout, inside it once installed."""

from __future__ import annotations

import shutil
from pathlib import Path

from custvalue.errors import UsageError

__all__ = ["copy_sample", "notebooks_folder", "sample_folder"]

_PACKAGE = Path(__file__).resolve().parent


def _first_folder(*candidates: Path) -> Path:
    found = [folder for folder in candidates if folder.is_dir()]
    if not found:
        raise UsageError("share_missing", folder=str(candidates[-1]))
    return found[0]


def _clash(source: Path, target: Path) -> bool:
    """Whether a file stands where the sample would go and holds something else."""
    return target.exists() and not (target.is_file() and target.read_bytes() == source.read_bytes())


def notebooks_folder() -> Path:
    """The folder of the notebooks.

    >>> notebooks_folder().name
    'notebooks'
    """
    return _first_folder(_PACKAGE / "_share" / "notebooks", _PACKAGE.parent / "notebooks")


def sample_folder() -> Path:
    """The folder of the sample data.

    >>> sample_folder().name
    'sample'
    """
    return _first_folder(_PACKAGE / "_share" / "sample", _PACKAGE.parent / "data" / "sample")


def copy_sample(folder: str | Path) -> list[Path]:
    """Copy the sample into a folder, made if missing; returns the copied files.

    A file that is there already with the same content stays. One with other content is never overwritten:
    ``UsageError`` before anything is written.
    """
    sources = sorted(path for path in sample_folder().iterdir() if path.is_file())
    pairs = [(source, Path(folder) / source.name) for source in sources]
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        for source, target in pairs:
            if _clash(source, target):
                raise UsageError("sample_exists", file=str(target))
        return [Path(shutil.copyfile(source, target)) for source, target in pairs]
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError("output_not_writable", folder=str(folder), reason=reason) from error

"""The lessons written into a folder: a copy for students, one for the teacher, and the data they use."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from custvalue.errors import UsageError
from custvalue.labels import LANGUAGES, text
from custvalue.share import copy_sample, notebooks_folder

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["Written", "lesson_sources", "one_copy", "write_workshop"]

_DATA = Path("data") / "sample"
_TEACHER = "teacher"


@dataclass(frozen=True)
class Written:
    """What :func:`write_workshop` wrote: paths of the students' and the teacher's notebooks and of the data."""

    lessons: tuple[Path, ...]
    teacher: tuple[Path, ...]
    data: tuple[Path, ...]


def lesson_sources() -> list[Path]:
    """The notebooks of the lessons, both languages in each, in order.

    >>> len(lesson_sources())
    10
    """
    return sorted((notebooks_folder() / "workshop").glob("[0-9][0-9]_*.ipynb"))


def _tags(cell: NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def _blank(cell: NotebookNode, language: str) -> NotebookNode:
    """A solution as its blank: the same cell without the way to the answer."""
    tags = ["exercise" if tag == "solution" else tag for tag in _tags(cell)]
    blank = type(cell)(cell | {"source": text("workshop.blank_cell", language)})
    blank.metadata = type(cell.metadata)({**cell.metadata, "tags": tags})
    return blank


def _parameters(source: str, language: str, data: str) -> str:
    """The parameters cell for one language and one place of the data."""
    given = {"data": f'"{data}"', "language": f'"{language}"'}
    written = [line.split("  # ")[0].split(" = ") for line in source.splitlines()]
    lines = [(name, given.get(name, value), text(f"workshop.parameter_{name}", language)) for name, value in written]
    return "\n".join(f"{name} = {value}  # {said}" for name, value, said in lines)


def _in_copy(cell: NotebookNode, language: str, teacher: bool) -> bool:
    tags = _tags(cell)
    other = any(tag in LANGUAGES and tag != language for tag in tags)
    hidden = not teacher and (_TEACHER in tags or ("solution" in tags and cell.cell_type != "code"))
    return not (other or hidden)


def one_copy(source: NotebookNode, language: str, data: str, teacher: bool = False) -> NotebookNode:
    """A lesson in one language, for students or for the teacher; no outputs, the source is not changed.

    Students get neither cells tagged ``teacher`` nor what stands in cells tagged ``solution``: code is replaced by a
    blank answer. ``data`` is the folder of the data as seen from the notebook.
    """
    import copy

    notebook = copy.deepcopy(source)
    notebook.cells = [cell for cell in notebook.cells if _in_copy(cell, language, teacher)]
    for place, cell in enumerate(notebook.cells):
        if "parameters" in _tags(cell):
            cell.source = _parameters(cell.source, language, data)
        elif "solution" in _tags(cell) and not teacher:
            notebook.cells[place] = _blank(cell, language)
    return notebook


def _copies(folder: Path, language: str, teacher: bool) -> dict[Path, str]:
    """The text of every notebook to write."""
    import nbformat

    place, up = (folder / _TEACHER, "../") if teacher else (folder, "")
    data = up + _DATA.as_posix()
    return {
        place / path.name: nbformat.writes(one_copy(nbformat.read(path, as_version=4), language, data, teacher)) + "\n"
        for path in lesson_sources()
    }


def _refuse_changed(texts: dict[Path, str]) -> None:
    """Raise where a file that would be written is there with other content."""
    for path, content in texts.items():
        if path.exists() and not (path.is_file() and path.read_bytes() == content.encode()):
            raise UsageError("workshop_exists", file=str(path))


def write_workshop(folder: str | Path, language: str = "en", teacher: bool = False) -> Written:
    """Write the ten lessons of one language for students, and the sample they use, into a folder (made if missing).

    With ``teacher`` the teacher's copies (solutions, notes, timing) are written into ``folder/teacher``. The data are
    in ``folder/data/sample``. A file that is there with the same content stays; one with other content, such as a
    notebook with a student's answers, is never overwritten: ``UsageError`` before anything is written.

    >>> import tempfile
    >>> written = write_workshop(tempfile.mkdtemp(), "zh", teacher=True)
    >>> len(written.lessons), len(written.teacher), written.teacher[0].parent.name
    (10, 10, 'teacher')
    """
    if language not in LANGUAGES:
        raise UsageError("bad_choice", key="language", got=language, allowed=", ".join(LANGUAGES))
    folder = Path(folder)
    lessons = _copies(folder, language, teacher=False)
    for_teacher = _copies(folder, language, teacher=True) if teacher else {}
    _refuse_changed(lessons | for_teacher)
    data = copy_sample(folder / _DATA)
    try:
        for path, content in (lessons | for_teacher).items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode())
    except OSError as error:
        raise UsageError("output_not_writable", folder=str(folder), reason=error.strerror or str(error)) from error
    return Written(tuple(lessons), tuple(for_teacher), tuple(data))

"""The lessons: every copy runs, every known mistake is explained, nothing is given away and nothing overwritten."""

from __future__ import annotations

import ast
import itertools
import re
import time

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from custvalue import workshop
from custvalue.cli import main
from custvalue.errors import DataError, UsageError
from custvalue.labels import LANGUAGES, catalogue
from custvalue.workshop import LESSONS, lesson, write_workshop
from custvalue.workshop.question import KINDS, Question
from custvalue.workshop.writing import lesson_sources, one_copy

plt.switch_backend("agg")

NUMBERS = range(1, len(LESSONS) + 1)
SOURCES = lesson_sources()
CHINESE = re.compile("[\u3400-\u9fff]")
NOT_THIN = (ast.FunctionDef, ast.ClassDef, ast.For, ast.While, ast.Try, ast.With, ast.comprehension)
#: What a student gives besides an answer.
GIVEN = {"own_cost": {"cost": 60_000, "contacts": 300, "per_win": 5}}
LONGEST = 30
EACH_QUESTION = [(number, name) for number in NUMBERS for name in lesson(number).questions]

each_lesson = pytest.mark.parametrize("number", NUMBERS)
each_language = pytest.mark.parametrize("language", LANGUAGES)
each_question = pytest.mark.parametrize(("number", "name"), EACH_QUESTION)


def tags(cell):
    return cell.metadata.get("tags", [])


def source(number):
    return nbformat.read(SOURCES[number - 1], as_version=4)


@pytest.fixture(scope="module")
def shell():
    from IPython.core.interactiveshell import InteractiveShell

    yield InteractiveShell.instance()
    InteractiveShell.clear_instance()


def run(shell, notebook, only=None):
    """Run the code of a notebook in this process, or its cells with a tag of ``only`` after another; the replies."""
    if only is None:
        shell.reset(new_session=False)
    replies = {}
    for cell in notebook.cells:
        if only is not None and only.isdisjoint(tags(cell)):
            continue
        if cell.cell_type != "code":
            continue
        checked = re.match(r'check\("(\w+)"', cell.source) if "check" in tags(cell) else None
        done = shell.run_cell(f"_reply = {cell.source}" if checked else cell.source, silent=True)
        assert done.success, f"{cell.source}\n{done.error_in_exec or done.error_before_exec}"
        if checked:
            replies[checked[1]] = shell.user_ns["_reply"]
    plt.close("all")
    return replies


def all_right(replies, number):
    return {name: reply.reason for name, reply in replies.items()} == dict.fromkeys(lesson(number).questions, "right")


@each_lesson
def test_the_teachers_copy_runs_and_passes_every_check(number, sample, shell):
    language = LANGUAGES[number % 2]
    started = time.process_time()
    replies = run(shell, one_copy(source(number), language, str(sample), teacher=True))
    assert all_right(replies, number), replies
    assert shell.user_ns["check"].summary().n_right == len(replies)
    assert time.process_time() - started < LONGEST


@each_language
@each_lesson
def test_the_students_copy_runs_blank_and_then_with_the_solutions(number, language, sample, shell):
    replies = run(shell, one_copy(source(number), language, str(sample)))
    assert {reply.reason for reply in replies.values()} == {"blank"}
    assert shell.user_ns["check"].summary().n_right == 0
    words = "".join(line for reply in replies.values() for line in reply.lines)
    assert bool(CHINESE.search(words)) == (language == "zh")
    teachers = one_copy(source(number), language, str(sample), teacher=True)
    assert all_right(run(shell, teachers, only={"solution", "check"}), number)


@each_question
def test_the_right_answer_is_right_and_every_known_mistake_has_its_own_reply(number, name):
    check = lesson(number, "en")
    question, given = check.questions[name], GIVEN.get(name, {})
    assert check(name, question.truth(check.room, **given), **given).right
    for code, way in question.mistakes.items():
        reply = check(name, way(check.room, **given), **given)
        assert (reply.state, reply.reason) == ("wrong", code), way(check.room, **given)


@each_language
@each_question
def test_every_reply_of_a_question_has_its_words(number, name, language):
    check = lesson(number, language)
    question = check.questions[name]
    hint = [] if set(question.options) <= {"right", *question.mistakes, *"abc"} and question.options else ["hint"]
    replies = ["right", *question.mistakes, *hint]
    for reason in replies:
        assert catalogue("workshop")[f"{check.topic}_{name}_{reason}"][language]


def test_no_words_wait_for_a_reply_that_never_comes():
    written = {key for key in catalogue("workshop") if key.split("_")[0] in LESSONS}
    used = set()
    for number, name in EACH_QUESTION:
        check = lesson(number)
        reasons = ["right", "hint", *check.questions[name].mistakes]
        used |= {f"{check.topic}_{name}_{reason}" for reason in reasons}
    assert written - used == set()


@each_question
def test_no_answer_however_odd_ends_in_a_traceback(number, name):
    check = lesson(number)
    odd = [
        ...,
        None,
        "",
        " ... ",
        "two",
        b"2",
        True,
        float("nan"),
        float("inf"),
        -1e300,
        [],
        {},
        pd.NA,
        np.nan,
        object(),
    ]
    odd += [pd.DataFrame({"a": [1, 2]}), pd.Series([1, 2]), np.arange(3), lambda: 1, 1 + 2j]
    for answer in odd:
        reply = check(name, answer, **GIVEN.get(name, {}))
        assert reply.state in ("open", "wrong"), answer
        assert repr(reply)
        assert reply.lines


def test_an_answer_whose_cell_failed_is_not_the_answer_before(sample, shell):
    run(shell, one_copy(source(1), "en", str(sample), teacher=True))
    assert not shell.run_cell("answer = b", silent=True).success
    assert shell.run_cell('_reply = check("quiz_3", answer)', silent=True).success
    assert (shell.user_ns["_reply"].state, shell.user_ns["_reply"].reason) == ("open", "failed")
    assert shell.run_cell('_reply = check("quiz_3", "b")', silent=True).success
    assert shell.user_ns["_reply"].reason == "b"


def test_numbers_of_the_class_that_can_not_be_are_explained():
    reply = lesson(1)("own_cost", 5, cost=100, contacts=0, per_win=4)
    assert (reply.state, reply.reason) == ("wrong", "given")
    assert "contacts" in reply.lines[0]
    assert lesson(1)("own_cost", 5, cost=..., contacts=1, per_win=1).state == "open"


def test_an_answer_may_come_out_of_a_table_and_be_a_little_off():
    check = lesson(1)
    assert check("cost_per_customer", pd.Series([2000])).right
    assert check("cost_per_customer", np.float64(2_009)).right
    assert check("cost_per_customer", 2_011).reason == "hint"
    assert "0.5%" in check("cost_per_customer", 2_011).lines[-1]


def test_a_percentage_where_a_share_is_asked_for_is_told():
    check = lesson(3, "zh")
    share = check.questions["top_share"].truth(check.room)
    assert check("top_share", 100 * share).reason == "percent"


def test_a_wrong_reply_never_gives_the_answer_away():
    for number, name in EACH_QUESTION:
        check = lesson(number)
        question, given = check.questions[name], GIVEN.get(name, {})
        if question.kind == "code" or name == "break_even":
            continue
        truth = question.truth(check.room, **given)
        shown = {f"{truth:,.0f}", f"{truth:.0f}", f"{truth:.2f}", f"{truth:.3f}"} if truth > 30 else {f"{truth:.3f}"}
        for code in ("hint", *question.mistakes):
            words = catalogue("workshop")[f"{check.topic}_{name}_{code}"]
            assert not [number for number in shown if number in words["en"] or number in words["zh"]], (name, code)


def test_the_summary_tells_what_is_open():
    check = lesson(1)
    check("quiz_1", "B")
    assert repr(check.summary()).startswith("1 of 8")
    assert "quiz_2" in repr(check.summary())
    assert "quiz_1" not in repr(check.summary())


def test_replies_are_escaped_in_html():
    reply = workshop.Reply("wrong", "hint", ("<b>&",))
    assert "&lt;b&gt;&amp;" in reply._repr_html_()


def test_wrong_calls_are_refused_in_words():
    with pytest.raises(UsageError, match="no lesson 11"):
        lesson(11)
    with pytest.raises(UsageError, match='Did you mean "quiz_1"'):
        lesson(1)("quizz_1", "a")
    with pytest.raises(UsageError, match="language"):
        lesson(1, "de")


def test_a_folder_without_the_truth_says_what_is_missing(tmp_path, sample):
    (tmp_path / "orders.csv").write_bytes((sample / "orders.csv").read_bytes())
    reply = lesson(7, "en", tmp_path)("one_timers", 0.3)
    assert reply.state == "wrong"
    assert "truth.csv" in reply.lines[0]
    with pytest.raises(DataError, match=r"campaigns\.csv"):
        _ = workshop.Classroom(str(tmp_path)).campaigns


def test_kinds_are_known():
    questions = [lesson(number).questions[name] for number, name in EACH_QUESTION]
    assert {question.kind for question in questions} <= set(KINDS)
    assert Question("ids", lambda room: frozenset("ab")).reason(frozenset("ba"), None) == "right"


# The sources


@each_lesson
def test_a_source_says_everything_in_both_languages_and_is_thin(number):
    found = source(number).cells
    texts = [place for place, cell in enumerate(found) if cell.cell_type == "markdown"]
    for first, second in zip(texts[::2], texts[1::2], strict=True):
        english, chinese = found[first], found[second]
        assert second == first + 1
        assert tags(english)[0] == "en"
        assert tags(chinese) == ["zh", *tags(english)[1:]]
        assert english.source.count("`") == chinese.source.count("`"), english.source
        assert re.findall(r"^#+", english.source, re.M) == re.findall(r"^#+", chinese.source, re.M)
        assert CHINESE.search(chinese.source)
        assert not CHINESE.search(english.source)
    for cell in found:
        if cell.cell_type == "code":
            assert not [node for node in ast.walk(ast.parse(cell.source)) if isinstance(node, NOT_THIN)]
            assert not cell.outputs
            assert cell.execution_count is None


@each_lesson
def test_a_source_checks_every_question_right_after_its_solution(number):
    found = source(number).cells
    checked = []
    for before, cell in itertools.pairwise(found):
        if "check" in tags(cell):
            assert "solution" in tags(before)
            assert re.search(r"^answer = ", before.source, re.M)
            checked.append(re.match(r'check\("(\w+)"', cell.source)[1])
    assert sorted(checked) == sorted(lesson(number).questions)
    assert 3 <= sum(not name.startswith("quiz") for name in checked) <= 7
    assert sum(name.startswith("quiz") for name in checked) == 3


@each_lesson
def test_the_parameters_cell_is_one_papermill_reads(number):
    cell = next(cell for cell in source(number).cells if "parameters" in tags(cell))
    names = [line.split(" = ")[0] for line in cell.source.splitlines()]
    assert names[:2] == ["data", "language"]
    assert all(re.fullmatch(r"\w+ = [^#]+  # [^=;'\"]+", line) for line in cell.source.splitlines())


# What is written


@pytest.fixture(scope="module", params=LANGUAGES)
def written(request, tmp_path_factory):
    return request.param, write_workshop(tmp_path_factory.mktemp("lessons"), request.param, teacher=True)


def test_ten_lessons_and_the_data_are_written(written):
    _, done = written
    names = [path.name for path in done.lessons]
    assert len(names) == 10
    assert names == sorted(names) == [path.name for path in done.teacher]
    assert {path.name for path in done.data} >= {"orders.csv", "truth.csv", "custvalue.toml"}
    assert all(path.is_file() for path in (*done.lessons, *done.teacher, *done.data))


def test_a_written_lesson_speaks_one_language(written):
    language, done = written
    for path in (*done.lessons, *done.teacher):
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
        assert all(bool(CHINESE.search(text)) == (language == "zh") for text in texts)
        assert {tag for cell in notebook.cells for tag in tags(cell)}.isdisjoint(set(LANGUAGES) - {language})
        assert f'language = "{language}"' in "".join(cell.source for cell in notebook.cells)


def test_students_get_blanks_and_the_teacher_gets_the_rest(written):
    _, done = written
    for student, teacher in zip(done.lessons, done.teacher, strict=True):
        mine, yours = nbformat.read(student, as_version=4).cells, nbformat.read(teacher, as_version=4).cells
        blanks = [cell for cell in mine if cell.source.startswith("answer = ...")]
        solutions = [cell for cell in yours if "solution" in tags(cell)]
        assert len(blanks) == len(solutions) >= 6
        assert not [cell for cell in mine if {"solution", "teacher"} & set(tags(cell))]
        assert [cell for cell in yours if "teacher" in tags(cell)]
        given_away = [cell.source for cell in solutions if any(cell.source in other.source for other in mine)]
        assert given_away == []


def test_a_written_lesson_finds_its_data_from_its_own_folder(written, shell, monkeypatch):
    _, done = written
    for path in (done.lessons[2], done.teacher[2]):
        monkeypatch.chdir(path.parent)
        assert run(shell, nbformat.read(path, as_version=4))


def test_a_lesson_with_answers_in_it_is_never_overwritten(tmp_path):
    done = write_workshop(tmp_path)
    before = {path: path.read_bytes() for path in done.lessons}
    again = write_workshop(tmp_path, teacher=True)
    assert again.lessons == done.lessons
    answered = done.lessons[4]
    answered.write_bytes(before[answered].replace(b"answer = ...", b"answer = 42", 1))
    changed = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(UsageError, match=r"05_matrices.* so that no answers are lost"):
        write_workshop(tmp_path)
    with pytest.raises(UsageError, match="01_cost_and_return"):
        write_workshop(tmp_path, "zh")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == changed


def test_a_folder_that_can_not_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="file"):
        write_workshop(tmp_path / "file")


def test_the_command_writes_lessons_and_tells_what_to_do_next(tmp_path):
    folder = str(tmp_path / "course")
    told = CliRunner().invoke(main, ["workshop", folder, "--language", "zh", "--teacher"])
    assert told.exit_code == 0, told.output
    assert "01_cost_and_return.ipynb" in told.output
    assert (tmp_path / "course" / "teacher" / "10_game.ipynb").is_file()
    (tmp_path / "course" / "01_cost_and_return.ipynb").write_text("mine")
    told = CliRunner().invoke(main, ["workshop", folder, "--language", "zh"])
    assert told.exit_code == 2
    assert "没有写入任何文件" in told.output

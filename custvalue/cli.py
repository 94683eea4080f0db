"""The command line: ``custvalue report``, ``check``, ``backtest``, ``sample``, ``init`` and ``lab``."""

from __future__ import annotations

import json
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from custvalue.errors import CustvalueError
from custvalue.labels import LANGUAGES, text

if TYPE_CHECKING:
    import pandas as pd

    from custvalue.pipeline import Backtest
    from custvalue.report import Pack
    from custvalue.transactions import Orders

__all__ = ["main"]

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
_LOG = "custvalue-error.log"
_INTERRUPTED = 130
_UNEXPECTED = CustvalueError.exit_code
#: Columns of ``custvalue backtest``, in order.
_BACKTEST_COLUMNS = [
    "model", "n_customers", "actual", "forecast", "bias", "mae", "rmse", "brier", "auc", "spearman",
    "top_decile_share", "chosen",
]  # fmt: skip


def _both(key: str) -> str:
    """A help text in every language, one after the other."""
    return "\n\n".join(text(f"pages.{key}", language) for language in LANGUAGES)


def _option_help(key: str) -> str:
    return " / ".join(text(f"pages.{key}", language) for language in LANGUAGES)


_config = click.option("--config", metavar="FILE.toml", default="", help=_option_help("option_config"))
_as_of = click.option("--as-of", metavar="YYYY-MM-DD", default="", help=_option_help("option_as_of"))
_lang = click.option(
    "--language",
    type=click.Choice(LANGUAGES),
    callback=lambda context, option, value: value or "",
    help=_option_help("option_language"),
)
_debug = click.option("--debug", is_flag=True, help=_option_help("option_debug"))


def _reader(language: str, config: str, data: str) -> str:
    """The language of messages: the one asked for, else that of the configuration, else English."""
    if language:
        return language
    try:
        from custvalue.config import load_settings

        return load_settings(config, data).language
    except Exception:
        return LANGUAGES[0]


def _write_log(out: str) -> str:
    """Write the traceback into the output folder; returns its path, empty where that is impossible."""
    try:
        path = Path(out).resolve() / _LOG
        path.write_text(traceback.format_exc(), "utf-8")
    except (OSError, ValueError):
        return ""
    return str(path)


def _say_unexpected(error: Exception, language: str, out: str) -> None:
    said = f"{type(error).__name__}: {error}".strip().splitlines()[0]
    log = _write_log(out) if out else ""
    key = "errors.unexpected_logged" if log else "errors.unexpected"
    click.echo(text(key, language, said=said, file=log), err=True)


@contextmanager
def _told(language: str, config: str, data: str, debug: bool, out: str = "") -> Iterator[None]:
    """Turn a failure into a sentence on standard error and an exit code; a traceback only for ``--debug``."""
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    except CustvalueError as error:
        if debug:
            traceback.print_exc()
        click.echo(error.text(_reader(language, config, data)), err=True)
        sys.exit(error.exit_code)
    except Exception as error:
        if debug:
            traceback.print_exc()
        else:
            _say_unexpected(error, _reader(language, config, data), out)
        sys.exit(CustvalueError.exit_code)


@click.group(context_settings=_CONTEXT, help=_both("help_main"))
@click.version_option(package_name="custvalue", prog_name="custvalue")
def main() -> None:
    pass


def _outcome(code: int, pack: Pack | None, failure: BaseException | None, language: str) -> dict[str, Any]:
    """What became of a run, for a program; the keys are always the same."""
    manifest = pack.manifest if pack else {}
    told = failure.text(language) if isinstance(failure, CustvalueError) else str(failure or "")
    headlines = manifest.get("headlines", {})
    return {
        "status": "published" if pack else "failed",
        "exit_code": code,
        "month": pack.folder.name if pack else getattr(failure, "month", ""),
        "index": str(pack.index) if pack else "",
        "headlines": [line for name in sorted(headlines, reverse=True) for line in headlines[name]],
        "warnings": manifest.get("warnings", {}),
        "error": told,
    }


@contextmanager
def _notified(command: str, language: str) -> Iterator[list[Pack]]:
    """Tell a program how the block ended; the pack it made is put into the list. Its own failure is only said."""
    from custvalue.journal import notify

    started, made, failure, code = time.monotonic(), [], None, 0
    try:
        yield made
    except BaseException as error:
        failure = error
        code = _INTERRUPTED if isinstance(error, KeyboardInterrupt) else getattr(error, "exit_code", _UNEXPECTED)
        raise
    finally:
        if command:
            outcome = _outcome(code, made[0] if made else None, failure, language)
            said = notify(command, outcome | {"seconds": round(time.monotonic() - started, 1)})
            if said:
                click.echo(text("pages.notify_failed", language, said=said), err=True)


@main.command(help=_both("help_report"))
@click.argument("data")
@click.option("--out", required=True, metavar="DIR", help=_option_help("option_out"))
@_config
@_as_of
@_lang
@click.option("--notebooks", metavar="DIR", default=None, help=_option_help("option_notebooks"))
@click.option("--quiet", is_flag=True, help=_option_help("option_quiet"))
@click.option("--notify", "command", metavar="COMMAND", default="", help=_option_help("option_notify"))
@_debug
def report(
    data: str, out: str, config: str, language: str, quiet: bool, command: str, debug: bool, **options: Any
) -> None:
    with _told(language, config, data, debug, out), _notified(command, _reader(language, config, data)) as made:
        from custvalue.report import run_report

        pack = run_report(data, out, config=config, language=language, progress=not quiet, **options)
        made.append(pack)
        warned = sum(map(len, pack.manifest["warnings"].values()))
        if warned and not quiet:
            told = text("pages.warned", pack.manifest["parameters"]["language"], n=warned)
            click.echo(told, err=True)
        click.echo(pack.index)


def _reasons(quality: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Rows and money set aside, by reason."""
    aside = quality[quality["status"] == "quarantined"]
    return {row.reason: {"rows": int(row.rows), "money": round(float(row.money), 2)} for row in aside.itertuples()}


def _enough(orders: Orders) -> dict[str, dict[str, Any]]:
    """The verdict on each analysis: fitness, what is missing, and the two numbers (null where nothing is)."""
    from custvalue.customers import customer_table
    from custvalue.sufficiency import sufficiency

    table = sufficiency(customer_table(orders), orders.as_of).set_index("analysis")
    shown = table[["fitness", "shortfall", "got", "needed"]].astype(object)
    return shown.where(shown.notna(), None).to_dict("index")


def _as_json(orders: Orders) -> str:
    content = {
        "as_of": str(orders.as_of),
        **orders.facts,
        "mapping": dict(orders.mapping.itertuples(index=False)),
        "reasons": _reasons(orders.quality),
        "notes": list(orders.notes),
        "enough_data": _enough(orders),
    }
    return json.dumps(content, ensure_ascii=False, indent=2, default=str)


def _as_text(orders: Orders, language: str, currency: str) -> str:
    """The mapping and the quality table as aligned text; wide characters count for two."""
    from custvalue.tables import notes, show

    facts = text("pages.check_facts", language, **orders.facts)
    mapping = repr(show(orders.mapping, language))
    quality = repr(show(orders.quality, language, currency=currency))
    titles = (text(f"pages.check_{part}", language) for part in ("mapping", "rows"))
    parts = [facts, f"{next(titles)}\n{mapping}", f"{next(titles)}\n{quality}"]
    return "\n\n".join([*parts, *([repr(notes("quality", orders.notes, language))] if orders.notes else [])])


@main.command(help=_both("help_check"))
@click.argument("data")
@_config
@_as_of
@_lang
@click.option("--json", "as_json", is_flag=True, help=_option_help("option_json"))
@_debug
def check(data: str, config: str, as_of: str, language: str, as_json: bool, debug: bool) -> None:
    with _told(language, config, data, debug):
        from custvalue.config import load_settings
        from custvalue.pipeline import read

        settings = load_settings(config, data, as_of=as_of, language=language)
        orders = read(data, settings, whole_file=True)
        told = _as_json(orders) if as_json else _as_text(orders, settings.language, settings.currency)
        click.echo(told)


def _backtest_csv(found: Backtest) -> str:
    table = found.scores[_BACKTEST_COLUMNS].astype({"actual": "int64"})
    return table.to_csv(index=False, float_format="%.6f", lineterminator="\n").rstrip("\n")


def _backtest_text(found: Backtest, language: str) -> str:
    """What was tested and why the model was chosen, the table, and the verdict."""
    from custvalue.confidence import how_tested, trust
    from custvalue.tables import show

    table = show(found.scores[_BACKTEST_COLUMNS], language)
    return "\n\n".join(map(repr, (how_tested(found, language), table, trust(found.verdict, language))))


@main.command(help=_both("help_backtest"))
@click.argument("data")
@_config
@click.option("--cutoff", metavar="YYYY-MM-DD", default="", help=_option_help("option_cutoff"))
@_lang
@click.option("--csv", "as_csv", is_flag=True, help=_option_help("option_csv"))
@_debug
def backtest(data: str, config: str, cutoff: str, language: str, as_csv: bool, debug: bool) -> None:
    with _told(language, config, data, debug):
        from custvalue.config import load_settings, parse_day
        from custvalue.errors import DataError
        from custvalue.pipeline import backtest_orders, read

        settings = load_settings(config, data, language=language)
        day = parse_day(cutoff, "--cutoff")
        found = backtest_orders(read(data, settings, whole_file=True), settings, cutoff=day)
        if found.cutoff is None:
            raise DataError("history_too_short", first=found.first_day, last=found.as_of)
        click.echo(_backtest_csv(found) if as_csv else _backtest_text(found, settings.language))


@main.command(help=_both("help_sample"))
@click.argument("folder", metavar="DIR")
@_lang
@_debug
def sample(folder: str, language: str, debug: bool) -> None:
    language = language or LANGUAGES[0]
    with _told(language, "", "", debug):
        from custvalue.share import copy_sample

        copied = copy_sample(folder)
        click.echo(text("pages.sample_copied", language, n=len(copied), folder=folder))


@main.command(help=_both("help_init"))
@click.argument("folder", metavar="DIR")
@click.option("--data", metavar="DATA", default="", help=_option_help("option_data"))
@_lang
@_debug
def init(folder: str, data: str, language: str, debug: bool) -> None:
    language = language or LANGUAGES[0]
    with _told(language, "", "", debug):
        from custvalue.workspace import make_workspace

        made = make_workspace(folder, language, data)
        for code, files in (("init_kept", made.kept), ("init_beside", made.beside)):
            for file in files:
                click.echo(text(f"pages.{code}", language, file=str(file)), err=True)
        data = data or f"{folder}/data/sample"
        click.echo(text("pages.init_done", language, n=len(made.written), folder=folder, data=data))


@main.command(help=_both("help_lab"))
@click.argument("folder", metavar="DIR", default=".")
@_lang
@_debug
def lab(folder: str, language: str, debug: bool) -> None:
    with _told(language or LANGUAGES[0], "", "", debug):
        from custvalue.workspace import open_lab

        sys.exit(open_lab(folder))


@main.command(help=_both("help_workshop"))
@click.argument("folder", metavar="DIR")
@_lang
@click.option("--teacher", is_flag=True, help=_option_help("option_teacher"))
@_debug
def workshop(folder: str, language: str, teacher: bool, debug: bool) -> None:
    language = language or LANGUAGES[0]
    with _told(language, "", "", debug):
        from custvalue.workshop import write_workshop

        written = write_workshop(folder, language, teacher)
        first = written.lessons[0].name
        click.echo(text("pages.workshop_written", language, n=len(written.lessons), folder=folder, first=first))


if __name__ == "__main__":
    main()

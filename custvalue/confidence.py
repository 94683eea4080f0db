"""How far a result can be trusted, in words: enough data, how a forecast was tested, and the verdict on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from custvalue.labels import format_value, label, text
from custvalue.sufficiency import fitness_sentence, is_fit
from custvalue.tables import Sentence, Sentences, filled

if TYPE_CHECKING:
    import pandas as pd

    from custvalue.lifetime import Backtest

__all__ = ["Outputs", "TrustBox", "enough", "how_tested", "stages_tested", "trust"]

_TRUST = """\
<div class="cv-trust cv-trust-{{ box.code }}">
<p><strong>{{ box.title }}</strong> {{ box.advice }}</p>
<dl>
{%- for word, number, meaning in box.numbers %}
<div><dt>{{ word }}</dt><dd><b>{{ number }}</b> {{ meaning }}</dd></div>
{%- endfor %}
</dl>
</div>"""


@dataclass(frozen=True)
class TrustBox:
    """Whether to trust a forecast: the verdict, what to do, and (word, number, meaning) of each figure behind it."""

    code: str
    title: str
    advice: str
    numbers: tuple[tuple[str, str, str], ...]

    def _repr_html_(self) -> str:
        return filled(_TRUST, box=self)

    def __repr__(self) -> str:
        return "\n".join([f"{self.title} {self.advice}", *(f"  {w}: {n} {m}" for w, n, m in self.numbers)])


@dataclass(frozen=True)
class Outputs:
    """Several shown things as one output."""

    parts: tuple[Any, ...]

    def _repr_html_(self) -> str:
        return "\n".join(part._repr_html_() for part in self.parts)

    def __repr__(self) -> str:
        return "\n".join(map(repr, self.parts))


def trust(verdict: Mapping[str, Any], language: str = "en") -> TrustBox:
    """The trust box of a forecast, from the verdict of :attr:`custvalue.lifetime.Backtest.verdict`.

    >>> trust({"code": "good", "bias": -0.05, "brier_skill": 0.2, "rmse_ratio": 0.9, "model": "bg_nbd"}).numbers[0][:2]
    ('Total', '-5.0%')
    """
    code = verdict["code"]
    units = {"bias": "change", "brier_skill": "percent", "rmse_ratio": "number"}
    numbers = tuple(
        (
            text(f"tables.trust_{name}", language),
            format_value(verdict[name], unit),
            text(f"tables.trust_{name}_means", language),
        )
        for name, unit in (units.items() if code != "unknown" else ())
    )
    title, advice = (text(f"tables.trust_{code}{part}", language) for part in ("", "_advice"))
    return TrustBox(code, title, advice, numbers)


def how_tested(found: Backtest, language: str = "en") -> Sentences:
    """How the forecast was tested on the customers' own past, and why its model was chosen; or that it was not.

    >>> import pandas as pd
    >>> import custvalue as cv
    >>> days, amounts = ["2025-01-05", "2025-01-31", "2025-01-20"], [20, 30, 5]
    >>> orders = cv.read(pd.DataFrame({"customer_id": list("aab"), "order_date": days, "amount": amounts}))
    >>> how_tested(cv.backtest_orders(orders, cv.load_settings()))
    The history is too short to hide a part of it, so the forecast could not be tested.
    """
    if found.cutoff is None:
        return Sentences((text("findings.no_test", language),))
    row, over = (table[table["chosen"]].iloc[0] for table in (found.scores, found.pooled))
    facts = {"n_cutoffs": int(over["n_cutoffs"]), "n_new": int(row["n_new"]), "orders_new": int(row["orders_new"])}
    facts |= {"cutoff": found.cutoff, "as_of": found.as_of, "days": (found.as_of - found.cutoff).days}
    reason = {name: over[name] for name in ("rmse", "mae", "bias", "brier")}
    reason["model"] = label("model", found.chosen, language)
    return Sentences(
        (
            text(f"findings.backtest{'' if facts['n_new'] else '_all'}", language, **facts),
            text(f"findings.why_{found.why}", language, **reason),
        )
    )


def stages_tested(calls: pd.DataFrame, cutoff: Any, as_of: Any, language: str = "en") -> Sentence:
    """How often the stages of an earlier day were right: the sentence above the table of confirmed calls.

    ``calls`` is that table (:func:`custvalue.churn.confirmed`), ``cutoff`` the earlier day; None where there was none.

    >>> import pandas as pd
    >>> import custvalue as cv
    >>> days, amounts = ["2025-01-05", "2025-01-31", "2025-01-20"], [20, 30, 5]
    >>> orders = cv.read(pd.DataFrame({"customer_id": list("aab"), "order_date": days, "amount": amounts}))
    >>> calls, day = cv.stage_calls(orders, cv.load_settings())
    >>> stages_tested(cv.churn.confirmed(calls), day, orders.as_of)
    The history is too short to test the stages: there is no earlier day from which enough time has passed.
    """
    told = calls.set_index("stage")
    dropped = told.loc["drop"]
    if cutoff is None:
        return Sentence(text("findings.stages_untested", language))
    facts = {"cutoff": cutoff, "days": (as_of - cutoff).days}
    if not dropped["n_judged"]:
        return Sentence(text("findings.stages_tested_none", language, **facts))
    declined = told["share_confirmed"].get("decline")
    shares = {"drop": dropped["share_confirmed"], "decline": declined, "all": dropped["share_of_all"]}
    return Sentence(text("findings.stages_tested", language, **facts, **shares))


def enough(verdicts: pd.DataFrame, analysis: str, shown: Any, language: str = "en") -> Any:
    """What an analysis ``shown``, if there are enough data for it; else a sentence that says what is missing.

    ``verdicts`` is the table of :func:`custvalue.sufficiency.sufficiency`. Where an analysis needs care, the sentence
    stands below it.

    >>> import pandas as pd
    >>> verdicts = pd.DataFrame({"analysis": ["pyramid"], "fitness": ["not_fit"], "shortfall": ["few_customers"],
    ...                          "got": [3], "needed": [20]})
    >>> enough(verdicts, "pyramid", "a picture of three customers")  # doctest: +ELLIPSIS
    Customer pyramid: Not enough data. There are 3 customers; ...
    """
    sentence = Sentence(fitness_sentence(verdicts, analysis, language))
    if not is_fit(verdicts, analysis):
        return sentence
    code = verdicts.set_index("analysis").loc[analysis, "fitness"]
    return shown if code == "fit" else Outputs((shown, sentence))

"""What a notebook displays: tables, sentences and advice as HTML whose every value is escaped, and as plain text."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import Any

__all__ = ["Advice", "Missing", "Sentence", "Sentences", "ShownColumn", "ShownTable", "filled", "plain"]

#: A page of the same pack, with or without a place on it: the only address a sentence links to.
_PAGE_OF_PACK = re.compile(r"\w[\w.-]*\.html(#[\w.-]+)?")
_STYLES = {
    "number": "text-align:right",
    "date": "text-align:left;white-space:nowrap",
    "text": "text-align:left",
}
_ONE_LINE = ";white-space:nowrap"
_TABLE = """\
{%- macro line(row, keys, hidden) %}
<tr{% if hidden %} hidden{% endif %}>
{%- for cell in row %}
{%- set key = keys[loop.index0] if keys else "" %}
<td{% if key %} data-sort="{{ key }}"{% endif %} style="{{ cells[loop.index0] }}">{{ cell }}</td>
{%- endfor -%}
</tr>
{%- endmacro -%}
<table class="cv-table{% if table.keys %} cv-list{% endif %}" border="0">
{%- if table.title %}
<caption>{{ table.title }}</caption>
{%- endif %}
{%- if table.columns %}
<thead><tr>
{%- for column in table.columns %}
<th scope="col" style="{{ styles[column.align] }}"
{%- if column.help %} data-column="{{ column.name }}" title="{{ column.help }}"{% endif %}>{{ column.heading }}</th>
{%- endfor %}
</tr></thead>
{%- endif %}
<tbody>
{%- for row in table.rows %}{{ line(row, table.keys[loop.index0] if table.keys else (), false) }}{% endfor %}
{%- for row in table.more %}{{ line(row, table.keys[table.rows | length + loop.index0], true) }}{% endfor %}
</tbody>
</table>
{%- if table.note %}
<p class="cv-note cv-rows"{% if table.more %} data-rest="{{ table.rest }}"{% endif %}>{{ table.note }}</p>
{%- endif %}"""
_ADVICE = """\
<div class="cv-advice">
{%- for title, items in groups %}
<section><h4>{{ title }}</h4><dl>
{%- for word, said in items %}
<dt>{{ word }}</dt><dd>{{ said }}</dd>
{%- endfor %}
</dl></section>
{%- endfor %}
</div>"""
_FOLDED = """\
<div class="cv-advice cv-folded">
{%- for title, items in groups %}
<details><summary><b>{{ title }}</b> {{ items[0][1] }}</summary><dl>
{%- for word, said in items[1:] %}
<dt>{{ word }}</dt><dd>{{ said }}</dd>
{%- endfor %}
</dl></details>
{%- endfor %}
</div>"""
_MISSING = """<p class="cv-note cv-missing">{{ said }}</p>"""
_SENTENCE = """<p class="cv-say">{% if href %}<a href="{{ href }}">{{ said }}</a>{% else %}{{ said }}{% endif %}</p>"""
_SENTENCES = """{% for said in texts %}<p class="cv-note">{{ said }}</p>{% endfor %}"""
_FINDINGS = """<ul class="cv-say">{% for said in texts %}<li>{{ said }}</li>{% endfor %}</ul>"""


@cache
def _template(source: str) -> Any:
    from jinja2 import Environment

    return Environment(autoescape=True).from_string(source)


def filled(source: str, **values: Any) -> str:
    """A template of HTML with its values, all of them escaped."""
    return _template(source).render(**values)


def plain(value: Any) -> str:
    """Text on one line, without control characters and those that turn the direction of reading.

    >>> plain("a\\nb\\x1b[2J"), plain("invoice\\u202efdp.exe")
    ('a b [2J', 'invoice fdp.exe')
    """
    return "".join(character if character.isprintable() else " " for character in str(value)).strip()


def _width(word: str) -> int:
    """Places a word takes on a terminal: a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in word)


def _padded(cell: str, width: int, column: ShownColumn) -> str:
    blank = " " * (width - _width(cell))
    return blank + cell if column.align == "number" else cell + blank


@dataclass(frozen=True)
class ShownColumn:
    """Heading, meaning, alignment (``number``, ``date`` or ``text``) and canonical name of one shown column."""

    heading: str
    help: str
    align: str
    name: str = ""


@dataclass(frozen=True)
class ShownTable:
    """A table of finished texts, shown as HTML in a notebook and as aligned text elsewhere.

    ``rows`` are seen at once, ``more`` are further rows a page can unfold; ``note`` says how many rows are not seen,
    ``rest`` how many when all of them are unfolded. ``keys`` has a row of sort keys for each of them, empty where the
    text itself sorts; tables too short to sort have none.
    """

    title: str
    columns: tuple[ShownColumn, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str
    more: tuple[tuple[str, ...], ...] = ()
    rest: str = ""
    keys: tuple[tuple[str, ...], ...] = ()

    def _repr_html_(self) -> str:
        cells = [_STYLES[column.align] + (_ONE_LINE if column.align == "number" else "") for column in self.columns]
        return filled(_TABLE, table=self, styles=_STYLES, cells=cells)

    def __repr__(self) -> str:
        lines = [[column.heading for column in self.columns], *self.rows]
        widths = [max(map(_width, cells)) for cells in zip(*lines, strict=True)]
        table = ["  ".join(map(_padded, line, widths, self.columns)).rstrip() for line in lines]
        return "\n".join(filter(None, [self.title, *table, self.note]))


@dataclass(frozen=True)
class Sentence:
    """A sentence of the catalogue with its values, shown as a paragraph in a notebook.

    ``href`` names a page of the same pack (``03_customer_pyramid.html``) it links to; other addresses are no links.
    """

    text: str
    href: str = ""

    def _repr_html_(self) -> str:
        href = self.href if _PAGE_OF_PACK.fullmatch(self.href) else ""
        return filled(_SENTENCE, said=plain(self.text), href=href)

    def __repr__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Missing(Sentence):
    """What can not be said and which column would change that; a page shows nothing else of the part it stands in."""

    def _repr_html_(self) -> str:
        return filled(_MISSING, said=plain(self.text))

    def __repr__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Sentences:
    """Several sentences, each a paragraph in a notebook; nothing at all where there are none.

    Notes on a result, or (``findings``) what it says: those stand out on a page, several of them as a list.
    """

    texts: tuple[str, ...]
    findings: bool = False

    def _ipython_display_(self) -> None:
        """Leave no output where there is nothing to say; else IPython goes on to the other forms."""
        if self.texts:
            raise NotImplementedError

    def _repr_html_(self) -> str:
        said = [plain(text) for text in self.texts]
        if not self.findings or not said:
            return filled(_SENTENCES, texts=said)
        return filled(_FINDINGS, texts=said) if len(said) > 1 else filled(_SENTENCE, said=said[0], href="")

    def __repr__(self) -> str:
        return "\n".join(self.texts)


@dataclass(frozen=True)
class Advice:
    """What to do with each group: a title and (word, text) pairs a group, shown as cards in a notebook.

    ``folded``: a line a group with its first text, which unfolds the others.
    """

    groups: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    folded: bool = False

    def _repr_html_(self) -> str:
        lines = [(plain(title), [(word, plain(said)) for word, said in items]) for title, items in self.groups]
        return filled(_FOLDED if self.folded else _ADVICE, groups=lines)

    def __repr__(self) -> str:
        return "\n\n".join("\n".join([title, *(f"  {w}: {s}" for w, s in items)]) for title, items in self.groups)

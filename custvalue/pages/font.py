"""A Chinese font for pages that need one: only the characters that occur, so that no reader sees boxes.

It serves these scripts only; Western letters keep the reader's own font. The charts use the same face.
"""

from __future__ import annotations

import base64
import io
import logging
from collections.abc import Iterable

__all__ = ["FAMILY", "font_face"]

FAMILY = "custvalue CJK"
_FACE = "Noto Sans CJK SC"
_FIRST = 0x2E80
_RANGE = "unicode-range: U+2E80-10FFFF; font-display: block;"


def _wanted(texts: Iterable[str]) -> str:
    """The characters beyond the Western scripts, in order."""
    return "".join(sorted({character for text in texts for character in text if ord(character) >= _FIRST}))


def _face_number(path: str) -> int:
    from fontTools.ttLib import TTCollection

    with TTCollection(path, lazy=True) as faces:
        return next(i for i, face in enumerate(faces.fonts) if face["name"].getDebugName(4) == _FACE)


def _subset(characters: str) -> bytes:
    from fontTools import subset
    from noto_cjk_sans_otc import FONT_PATH

    logging.getLogger("fontTools").setLevel(logging.ERROR)
    options = subset.Options(layout_features=[], hinting=False, name_IDs=[], font_number=_face_number(str(FONT_PATH)))
    font = subset.load_font(str(FONT_PATH), options, dontLoadGlyphNames=True)
    worker = subset.Subsetter(options)
    worker.populate(text=characters)
    worker.subset(font)
    font.flavor = "woff"
    font["head"].modified = font["head"].created
    written = io.BytesIO()
    font.save(written)
    return written.getvalue()


def font_face(texts: Iterable[str]) -> str:
    """A CSS rule that carries the Chinese characters of the texts as a font; empty where there are none.

    >>> font_face(["plain English"])
    ''
    >>> font_face(["客户"]).startswith('@font-face { font-family: "custvalue CJK"; src: url(data:font/woff;base64,')
    True
    """
    characters = _wanted(texts)
    if not characters:
        return ""
    data = base64.b64encode(_subset(characters)).decode("ascii")
    return f'@font-face {{ font-family: "{FAMILY}"; src: url(data:font/woff;base64,{data}) format("woff"); {_RANGE} }}'

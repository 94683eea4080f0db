"""The encoding of a text file, decided by its content: valid UTF-8 first, else the reading whose letters make words.

A legacy encoding can be read in any other one without an error, so each reading is judged by its letters: accents stand
inside words of small letters, symbols do not; Chinese is written with its few hundred common characters. Where no
reading is plausible, or two are about equally so, that is an error and not a guess.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from custvalue.errors import DataError

__all__ = ["ENCODINGS", "find_encoding", "judge", "opened"]

#: Legacy encodings that are told apart by content; any other can be set in the config.
ENCODINGS = ("gb18030", "big5", "cp1252", "mac_roman")

_PLAUSIBLE = 0.7
_MARGIN = 0.12
_HEAD = 1 << 18
_BLOCK = 1 << 22
_EVIDENCE = 1 << 17
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f]")

_LETTERS = frozenset("äöüßéèêëàâçîïôùûñáíóúãõåæøœÄÖÜÉÈÀÇÑÁÍÓÚÅØÆÂÊÎÔìòý")
_OPENING, _CLOSING, _LOOSE = frozenset("„“‘¡¿«‹‚"), frozenset("”»’›…®™©²³°ºª“"), frozenset("–—•·§£€¥½¼¾×±\xa0")
#: Letters beyond ASCII that do stand side by side.
_PAIRS = frozenset(["öß", "üß", "äß", "çã", "çõ", "çú", "çâ", "çó", "çô", "éï", "îé", "éâ", "ëï"])
_QUOTES = _OPENING | _CLOSING | {"\xa0"}
#: What stands before and after the apostrophe of French, Italian and English words.
_ELIDED = re.compile(r"(?:[ldjmtscno]|qu|jusqu|lorsqu|puisqu|aujourd|dell|nell|all|dall|sull|un|don|can|isn|didn)")
_CONTRACTED = re.compile(r"(?:s|t|re|ve|ll|m|d|hui)")

# The characters written most in Chinese, and those of trade and of places, in simplified and traditional form.
_COMMON = frozenset(
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事成方多经"
    "么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力它与长把机十民第公此已工使情明性知"
    "全三又关点正业外将两高间由问很最重并物手应战向头文体政美相见被利什二等产或新己制身果加西斯月话合回特代内信表化老给世位次度"
    "门任常先海通教儿原东声提立及比员解水名真论处走义各入几口认条平系气题活尔更别打女变四神总何电数安少报才结反受目太量再感建务"
    "做接必场件计管期市直德资命山金指克许统区保至队形社便空决治展马科司五基眼书非则听白却界达光放强即像难且权思王象完设式色路记"
    "南品住告类求据程北边死张该交规万取拉格望觉术领共确传师观清今切院让识候带导争运客户编号订单销售额商价格购买会员店铺服装衣鞋"
    "帽箱包家居电器食饮料酒茶男女童母婴美妆护肤洗运动户外手机脑配件款元角邮箱地址省县街州京津沪渝广深杭苏宁武汉成都重庆西安青岛"
    "付款退货折扣优惠支付线下渠道网微信淘宝天猫抖音李刘陈杨赵黄周吴徐孙胡朱林何郭罗丽娟芳静敏杰磊洋勇艳娜秀英华慧建国红玉兰桂"
    "這個們來為國說時會對過發後裡種經麼學現當沒動還進樣開從實軍無與長機間問點業將兩頭應戰體見產關書門兒東聲員論處義幾認條系氣題"
    "變總電數報結場計資統區決隊馬達強難權設記類據邊張該規萬領傳師觀覺術讓識帶導爭運編號訂單銷額價購買舖鋪鞋帽傢飲料嬰護膚戶腦款"
    "郵縣廣寧漢慶島貨扣優惠線網貓劉陳楊趙黃吳孫羅麗靜傑豔華紅蘭臺灣台北高雄港澳幣稅發票日期金額數量客戶編號訂單商品名稱類別顧"
)


def opened(path: Path) -> IO[bytes]:
    """A file opened for reading, unpacked where its ending says that it is packed (gz, bz2, xz, zip with one file)."""
    import bz2
    import gzip
    import lzma
    import zipfile

    ending = path.suffix.lower()
    if ending == ".zip":
        archive = zipfile.ZipFile(path)
        return archive.open(packed_name(path))
    packed = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
    return packed[ending](path, "rb") if ending in packed else path.open("rb")


def packed_name(path: Path) -> str:
    """The name of the only file in a zip archive; folders and hidden files beside it do not count."""
    import zipfile

    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if not re.search(r"/$|(^|/)[._]|__MACOSX", name)]
    if len(names) != 1:
        raise DataError("several_in_archive", got=path.name, n=len(names), found=", ".join(names[:5]))
    return names[0]


def _blocks(path: Path) -> Iterator[bytes]:
    with opened(path) as stream:
        yield from iter(lambda: stream.read(_BLOCK), b"")


def _foreign_lines(data: bytes, room: int) -> list[bytes]:
    """The lines of a block that hold more than ASCII, up to a number of bytes in all."""
    lines: list[bytes] = []
    for line in data.splitlines():
        if room > 0 and not line.isascii():
            lines.append(line)
            room -= len(line)
    return lines


def _evidence(path: Path) -> list[bytes] | None:
    """Lines that are not ASCII, those that are no UTF-8 among them; None where all of the file is UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    kept: list[bytes] = []
    broken, size, before = False, 0, b""
    for block in (*_blocks(path), b""):
        try:
            if not broken:
                decoder.decode(block, final=not block)
            start = 0
        except UnicodeDecodeError as error:
            broken, size = True, 0
            block = before[-_BLOCK:] + block if len(error.object) > len(block) else block
            start = max(block.rfind(b"\n", 0, max(error.start, 1)), 0)
        if size < _EVIDENCE and not block.isascii():
            lines = _foreign_lines(block[:start], _EVIDENCE) + _foreign_lines(block[start:], _EVIDENCE - size)
            kept, size = kept + lines, size + sum(map(len, lines))
        if broken and size >= _EVIDENCE:
            break
        before = block
    return kept if broken else None


def _apostrophe(before: str, after: str) -> bool:
    """Whether an apostrophe between these pieces of a word is likely, as in l'eau or don't."""
    piece = re.search(r"[^\W\d_]*$", before)[0].lower()
    rest = re.match(r"[^\W\d_]*", after)[0].lower()
    return bool(_ELIDED.fullmatch(piece) or _CONTRACTED.fullmatch(rest))


def _foreign(letters: str) -> bool:
    return any(letter.isalpha() and not letter.isascii() for letter in letters)


def _letter(before: str, char: str, after: str) -> float:
    """How likely a letter beyond ASCII stands here."""
    left, right = before[-1:], after[:1]
    if char not in _LETTERS:
        return 0.15
    if char.isupper() and left.islower():
        return 0.0
    if char.islower() and left.isupper() and len(before) > 1 and before[-2].isupper():
        return 0.3
    if all(near.isalpha() and not near.isascii() for near in (left, right)):
        return 0.1
    if char not in (left, right) and not {left + char, char + right} & _PAIRS and _foreign(left + right):
        return 0.5
    if char == "ç" and right.isalpha() and right not in "aouiyeãõáâóôúüîêé":
        return 0.2
    if char == "í" and _apostrophe(before, after):
        return 0.5
    return 1.0


def _symbol(before: str, char: str, after: str) -> float:
    """How likely a symbol stands here: hardly ever inside a word."""
    left, right = before[-1:].isalpha(), after[:1].isalpha()
    if left and right and char == "’" and _apostrophe(before, after):
        return 1.0
    if any(not near.isascii() and near not in _QUOTES for near in (before[-1:], after[:1])):
        return 0.1
    if left and right:
        return 0.0
    if char in "¡¿" and not re.search(r"[!?]", after):
        return 0.3
    if (char in _OPENING and not left) or (char in _CLOSING and not right):
        return 0.9
    return 0.8 if char in _LOOSE and not (left or right) else 0.2


def _western(text: str) -> list[float]:
    scores = []
    for match in re.finditer(r"[^\x00-\x7f]", text):
        before, char, after = text[max(match.start() - 12, 0) : match.start()], match[0], text[match.end() :][:80]
        scores.append((_letter if char.isalpha() else _symbol)(before, char, after))
    return scores


def _hanzi(char: str, encoding: str) -> float:
    """How likely a Chinese character is: common, of the first level of its character set, or rare."""
    if char in _COMMON:
        return 1.0
    pair = char.encode(encoding)
    if encoding == "big5":
        return 0.9 if 0xA1 <= pair[0] <= 0xA3 else 0.6 if 0xA4 <= pair[0] <= 0xC6 else 0.1
    if len(pair) == 4:
        return 0.5 if ord(char) > 0x1F000 else 0.0
    if len(pair) < 2 or pair[1] < 0xA1:
        return 0.0
    return 0.9 if 0xA1 <= pair[0] <= 0xA3 else 0.6 if 0xB0 <= pair[0] <= 0xD7 else 0.15


def _chinese(text: str, encoding: str) -> list[float]:
    scores = []
    for match in re.finditer(r"[^\x00-\x7f]+", text):
        beside = text[match.start() - 1 : match.start()].isalpha() and text[match.end() :][:1].isalpha()
        alone = beside and len(match[0]) == 1
        scores += [0.1 if alone else _hanzi(char, encoding) for char in match[0]]
    return scores


def judge(lines: list[bytes], encoding: str) -> float:
    """How plausible the letters of these lines are in an encoding: 0 (not at all, or impossible) to 1.

    >>> lines = ["Müller".encode("cp1252")]
    >>> judge(lines, "cp1252"), judge(lines, "mac_roman")
    (1.0, 0.0)
    """
    try:
        text = "\n".join(line.decode(encoding) for line in lines)
    except UnicodeDecodeError:
        return 0.0
    scores = _chinese(text, encoding) if encoding in ("gb18030", "big5") else _western(text)
    return sum(scores) / len(scores) if scores else 0.0


def _readings(lines: list[bytes], encodings: list[str]) -> str:
    """The first doubtful piece in each reading."""
    shown = re.search(rb"[^\s,;\t|]{0,20}[\x80-\xff]+[^\s,;\t|]{0,20}", lines[0])[0]
    return ", ".join(f'{name}: "{shown.decode(name, errors="replace")}"' for name in encodings)


def _decided(name: str, lines: list[bytes]) -> str:
    scores = {encoding: judge(lines, encoding) for encoding in ENCODINGS}
    best, second = sorted(ENCODINGS, key=lambda encoding: -scores[encoding])[:2]
    if scores[best] >= _PLAUSIBLE and scores[best] - scores[second] >= _MARGIN:
        return best
    if sum(len(_CONTROL.findall(line)) for line in lines) > 2:
        raise DataError("not_text", got=name)
    if scores[best] < 0.4:
        raise DataError("broken_text", got=name)
    raise DataError("unclear_encoding", got=name, readings=_readings(lines, [best, second]), best=best)


def find_encoding(path: Path) -> str:
    """The encoding of a text file: byte order mark, else UTF-8 if all of it is, else the most plausible reading.

    Raises
    ------
    DataError
        The bytes fit no text encoding (a picture, a workbook with a wrong ending, ...), or they fit two equally well.
    """
    with opened(path) as stream:
        head = stream.read(_HEAD)
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    if b"\0" in head:
        raise DataError("not_text", got=path.name)
    lines = _evidence(path)
    return "utf-8" if lines is None else _decided(path.name, lines)

"""The encoding of a file is found by the words in it, or the file is refused; never a wrong reading that works."""

from __future__ import annotations

import pytest

from custvalue.encodings import find_encoding
from custvalue.errors import DataError
from custvalue.sources import ReadRules, read_source

WORDS = {
    "German": ["Müller", "Größe", "Straße", "Jürgen Böhm", "Äpfel", "Öl", "Übergröße", "Mädchen"],
    "French": ["crème brûlée", "Hélène", "garçon", "Noël", "l’été", "École", "français", "où", "créée"],
    "Spanish": ["Señor Martínez", "España", "corazón", "camión", "¿Qué?", "Málaga", "Ávila", "niño", "María"],
    "Portuguese": ["São João", "coração", "irmã", "açúcar"],
    "Nordic": ["Åse", "Søren", "smørrebrød", "köp"],
}
WESTERN = [(word, name) for words in WORDS.values() for word in words for name in ("cp1252", "mac_roman")]
SIMPLIFIED = ["客户编号", "女装外套", "张三", "北京市", "订单", "手机配件", "优惠券退货", "食品饮料"]
TRADITIONAL = ["客戶編號", "訂單日期", "女裝外套", "臺北市", "銷售金額", "商品名稱"]


def file_of(tmp_path, words, encoding, plain=200):
    rows = [f"{i},2024-01-{i % 28 + 1:02d},{i},plain words only" for i in range(plain)]
    rows[plain // 2 : plain // 2] = [f"7,2024-01-05,10,{word}" for word in words]
    path = tmp_path / "o.csv"
    path.write_bytes("\n".join(["customer_id,order_date,amount,product", *rows]).encode(encoding))
    return path


@pytest.mark.parametrize(("word", "encoding"), WESTERN)
def test_one_western_word_among_plain_rows_is_enough(word, encoding, tmp_path):
    assert find_encoding(file_of(tmp_path, [word], encoding)) == encoding


@pytest.mark.parametrize(
    ("words", "encoding"),
    [
        *((words, name) for words in WORDS.values() for name in ("cp1252", "mac_roman", "utf-8", "utf-16")),
        *((SIMPLIFIED, name) for name in ("gb18030", "utf-8", "utf-8-sig", "utf-16")),
        *((TRADITIONAL, name) for name in ("big5", "gb18030", "utf-8")),
    ],
)
def test_words_come_through_as_they_were_written(words, encoding, tmp_path):
    source = read_source(file_of(tmp_path, words, encoding))
    assert source.encoding == encoding
    assert set(words) <= set(source.table.execute()["product"])


@pytest.mark.parametrize("encoding", ["gb18030", "gbk"])
@pytest.mark.parametrize("word", SIMPLIFIED)
def test_one_chinese_word_is_enough(word, encoding, tmp_path):
    assert find_encoding(file_of(tmp_path, [word], encoding)) == "gb18030"


@pytest.mark.parametrize(
    ("words", "encoding"),
    [
        (["Москва", "Иванов", "обувь"], "cp1251"),
        (["東京", "シャツ", "くつ下"], "shift_jis"),
        (["서울", "김철수", "신발"], "euc_kr"),
        (["Αθήνα", "παπούτσια"], "cp1253"),
    ],
)
def test_an_encoding_that_is_not_known_is_refused_and_can_be_told(words, encoding, tmp_path):
    path = file_of(tmp_path, words, encoding)
    with pytest.raises(DataError, match=r"\[read\] encoding = "):
        find_encoding(path)
    assert set(words) <= set(read_source(path, ReadRules(encoding=encoding)).table.execute()["product"])


def test_utf8_with_one_line_of_another_encoding_is_refused(tmp_path):
    path = file_of(tmp_path, ["Müller", "Größe", "女装外套"], "utf-8")
    path.write_bytes(path.read_bytes() + "\n8,2024-01-06,1,Jürgen\n".encode("cp1252"))
    with pytest.raises(DataError, match="encoding"):
        find_encoding(path)


def test_words_late_in_a_long_file_count(tmp_path, monkeypatch):
    monkeypatch.setattr("custvalue.encodings._BLOCK", 1000)
    assert find_encoding(file_of(tmp_path, ["Größe"], "cp1252", plain=2000)) == "cp1252"
    assert find_encoding(file_of(tmp_path, ["客户编号"], "utf-8", plain=2000)) == "utf-8"
    for shift in range(4):
        path = file_of(tmp_path, ["x" * shift + "客户编号" * 400], "utf-8")
        assert find_encoding(path) == "utf-8"

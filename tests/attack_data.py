"""A shop whose every text is an attack: markup, formulas, SQL, paths, control characters, templates, mathematics."""

from __future__ import annotations

import csv
import datetime as dt
import json
from pathlib import Path

MARKUP = (
    "<script>pwn()</script>",
    "<img src=x onerror=pwn() data-evil>",
    "<svg onload=pwn() data-evil>",
    "<svg><script>pwn()</script></svg>",
    "<iframe srcdoc='<script>parent.pwn()</script>' data-evil></iframe>",
    "<body onload=pwn()>",
    "<details open ontoggle=pwn() data-evil>",
    "<input autofocus onfocus=pwn() data-evil>",
    "<video><source onerror=pwn() data-evil></video>",
    "<math><mtext><table><mglyph><style><img src=x onerror=pwn()>",
    "<a href=javascript:pwn() data-evil>click</a>",
    "<a href='java\tscript:pwn()' data-evil>click</a>",
    "<style>*{display:none}</style>",
    "<link rel=stylesheet href=//evil.example/x.css data-evil>",
    "<base href=//evil.example/ data-evil>",
    "<meta http-equiv=refresh content='0;url=//evil.example' data-evil>",
    "<object data=//evil.example/x data-evil></object>",
    "<embed src=//evil.example/x data-evil>",
    "<form action=//evil.example data-evil><button>x</button></form>",
    '"><script>pwn()</script>',
    "' autofocus onfocus='pwn()' data-evil='",
    '" onmouseover="pwn()" data-evil="',
    "</td></tr></table><script>pwn()</script>",
    "</title><script>pwn()</script>",
    "</style><script>pwn()</script>",
    "</textarea><script>pwn()</script>",
    "--><script>pwn()</script>",
    "<!--<img src='--><img src=x onerror=pwn() data-evil>'>",
    "<noscript><p title='</noscript><img src=x onerror=pwn() data-evil>'>",
    "&lt;script&gt;pwn()&lt;/script&gt;",
    "&#60;img src=x onerror=pwn()&#62;",
    "<x-evil style=background:url(//evil.example/x)>",
    "<img src=//evil.example/pixel.png data-evil>",
    "＜script＞pwn()＜/script＞",
    "+ADw-script+AD4-pwn()+ADw-/script+AD4-",
)
MARKDOWN = (
    "[click](javascript:pwn())",
    "![x](//evil.example/x.png)",
    "`code` **bold** # heading",
    "$$\\frac{",
    "$\\frac{1}{$",
    "$x^{2$ and $y_$",
    "\\begin{equation}\\input{/etc/passwd}",
    "{{ 7*7 }}{% raw %}",
    "${7*7}",
    "<%= 7*7 %>",
    "{0.__class__}{data}",
    "%s%n%(x)s",
)
FORMULAS = (
    "=1+1",
    '=HYPERLINK("http://evil.example","x")',
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(1,1)",
    "\t=1+1",
    "＝1+1",
    " =1+1",
    "x;=1+1",
    "x\n=1+1",
    "{=1+1}",
    "'=1+1",
)
ENGINES = (
    "'; DROP TABLE orders; --",
    '"; DROP TABLE orders; --',
    "1 OR 1=1",
    "' UNION SELECT * FROM read_csv('/etc/passwd') --",
    "$(touch pwned)",
    "`touch pwned`",
    "; touch pwned",
    "__import__('os').system('touch pwned')",
    "../../../../pwned",
    "..\\..\\pwned",
    "/etc/passwd",
    "C:\\Windows\\pwned",
    "CON",
    "file:///etc/passwd",
    "%2e%2e%2fpwned",
)
LETTERS = (
    "invoice\u202efdp.exe",
    "\u2066isolate\u2069",
    "zero\u200bwidth",
    "مرحبا بالعالم",
    "bell\x07and\x1b[2J",
    "line\r\nbreak",
    "line\u2028separator",
    "z̸̢̛͚a̴̡l̵g̷o",
    "👩‍👩‍👧‍👦🏳️‍🌈",
    "L" * 5000,
    "长" * 2000,
    "<b>" * 500,
    "\ufeffmarked",
    "nan",
    "NULL",
    "-",
)
PAYLOADS = MARKUP + MARKDOWN + FORMULAS + ENGINES + LETTERS
#: Names of columns, of the folder and of a campaign file; short enough for a file system.
HEADERS = ("<img src=x onerror=pwn() data-evil>", "=1+1", "a'; DROP TABLE orders; --", "$\\frac{", "{{ 7*7 }}")
FOLDER = "shop {x} $HOME ';&\"<b onclick=pwn()>"
START = dt.date(2023, 1, 2)


def _day(place: int) -> str:
    return (START + dt.timedelta(days=place % 720)).isoformat()


def _write(path: Path, header: tuple[str, ...], rows: list[list[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def _orders() -> list[list[object]]:
    """Each payload as customer, category, product and channel; each customer buys several times."""
    rows: list[list[object]] = []
    for place, words in enumerate(PAYLOADS):
        for time in range(2 + place % 7):
            other = PAYLOADS[(place * 7 + time) % len(PAYLOADS)]
            extra = [PAYLOADS[(place + 3) % len(PAYLOADS)]] * len(HEADERS)
            amount = 20 + (place * 37 + time * 11) % 400
            rows.append(
                [f"{words}/{place}-{time}", words, _day(place * 5 + time * 90), amount, other, words, other, *extra]
            )
    return rows


def _plain_orders(customers: int) -> list[list[object]]:
    """Ordinary customers, so that every analysis has enough data; some of the categories are attacks."""
    rows: list[list[object]] = []
    for place in range(customers):
        for time in range(1 + (place * 7) % 6):
            amount = 15 + (place * 31 + time * 17) % 300
            category = PAYLOADS[(place + time) % 20 * 5 % len(PAYLOADS)]
            rest = [category, "plain", PAYLOADS[place % 5], *["plain"] * len(HEADERS)]
            rows.append([f"o{place}-{time}", f"C{place:04}", _day(place * 3 + time * (25 + place % 60)), amount, *rest])
    return rows


def write_attack(folder: Path) -> Path:
    """A data folder full of attacks below ``folder``: orders, customers, events, campaigns, labels and settings."""
    shop = folder / FOLDER
    shop.mkdir(parents=True)
    names = ("order_id", "customer_id", "order_date", "amount", "category", "product", "channel", *HEADERS)
    _write(shop / "orders.csv", names, [*_orders(), *_plain_orders(300)])
    people = [[words, other, other, _day(0), 1] for words, other in zip(PAYLOADS, PAYLOADS[::-1], strict=True)]
    _write(shop / "customers.csv", ("customer_id", "region", HEADERS[0], "birthday", "consent"), people)
    events = [[words, _day(700), words, words] for words in PAYLOADS]
    _write(shop / "events.csv", ("customer_id", "event_date", "event", "category"), events)
    sent = [[words, words, _day(710), words, words, 1, place % 2] for place, words in enumerate(PAYLOADS)]
    _write(
        shop / "campaigns.csv", ("customer_id", "campaign", "sent_date", "list", "channel", "cost", "hold_out"), sent
    )
    _write(shop / "labels.csv", ("column", "code", "en", "zh"), [["category", PAYLOADS[0], PAYLOADS[1], PAYLOADS[2]]])
    settings = f"currency = {json.dumps(MARKUP[1])}\nattributes = {json.dumps(HEADERS)}\n"
    (shop / "custvalue.toml").write_text(settings, "utf-8")
    return shop

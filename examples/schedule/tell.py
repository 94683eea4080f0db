"""For ``custvalue report --notify "python tell.py"``: sends what became of the run by e-mail.

The outcome is JSON on standard input: status, exit_code, month, index, headlines, warnings, error, seconds.
The server is the mail server of this machine; set ``SMTP_HOST`` for another one.
"""

from __future__ import annotations

import json
import os
import smtplib
import sys
from email.message import EmailMessage
from typing import Any

FROM = "reports@example.org"
TO = "marketing@example.org"


def message(outcome: dict[str, Any]) -> EmailMessage:
    """The mail: the headlines of a report that was published, or why there is none."""
    published = outcome["status"] == "published"
    lines = [*outcome["headlines"], "", outcome["index"]] if published else [outcome["error"]]
    mail = EmailMessage()
    mail["From"], mail["To"] = FROM, TO
    mail["Subject"] = f"Customer value {outcome['month']}: {outcome['status']}".replace("\n", " ")
    mail.set_content("\n".join(lines))
    return mail


if __name__ == "__main__":
    sys.stdin.reconfigure(encoding="utf-8")
    mail = message(json.load(sys.stdin))
    with smtplib.SMTP(os.environ.get("SMTP_HOST", "localhost"), timeout=30) as server:
        server.send_message(mail)

"""A report written to disk: `report.json` and one self-contained `report.html`."""

from __future__ import annotations

import json
from pathlib import Path

from captcha_lab.evaluate.report.html import report_html
from captcha_lab.evaluate.report.report import Report, report_json
from captcha_lab.store.files import write_bytes


def write_report(report: Report, folder: Path) -> tuple[Path, Path]:
    """Write `report.json` and `report.html` into a folder, which is made.

    Raises:
        CaptchaLabError: the disk refuses.
    """
    json_path, html_path = folder / "report.json", folder / "report.html"
    text = json.dumps(report_json(report), indent=1, ensure_ascii=False, allow_nan=False)
    write_bytes(json_path, (text + "\n").encode())
    write_bytes(html_path, report_html(report).encode())
    return json_path, html_path

"""The audit as one page, and as JSON."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path

from captcha_lab.evaluate.audit.effort import EffortPoint, spread_text, time_text
from captcha_lab.evaluate.audit.result import Audit
from captcha_lab.evaluate.page.html import interval_text, page, share_text, table, tile
from captcha_lab.evaluate.page.plots import line_plot
from captcha_lab.evaluate.reading.section import glyph_section
from captcha_lab.store.files import write_bytes
from captcha_lab.store.plain import plain


def write_audit(found: Audit, folder: Path) -> tuple[Path, Path]:
    """Write `audit.json` and `audit.html` into a folder, which is made.

    Raises:
        CaptchaLabError: the disk refuses.
    """
    json_path, html_path = folder / "audit.json", folder / "audit.html"
    text = json.dumps(plain(found), indent=1, ensure_ascii=False, allow_nan=False)
    write_bytes(json_path, (text + "\n").encode())
    write_bytes(html_path, audit_html(found).encode())
    return json_path, html_path


def audit_html(found: Audit) -> str:
    """The page of an audit."""
    parts = [
        f'<p class="facts">Dataset <b>{escape(found.dataset)}</b>, {found.captchas} captchas</p>',
        _tiles(found),
    ]
    items = "".join(f"<li>{escape(line)}</li>" for line in found.advice)
    parts += [f"<h2>What would help, and what would not</h2>\n<ul>{items}</ul>"]
    if found.points:
        parts += [_effort(found)]
    if found.remedies:
        parts += [_remedies(found)]
    if found.resisting:
        parts += [_characters(found)]
    if found.reading is not None:
        parts += [glyph_section(found.reading)]
    notes = "".join(f"<li>{escape(note)}</li>" for note in found.notes)
    parts += [f"<h2>Not measured</h2>\n<ul>{notes}</ul>"] if notes else []
    parts += ["<p>No answer was submitted anywhere: the captchas were only looked at.</p>"]
    return page("captcha-lab audit", found.verdict, None, "\n".join(parts))


def _tiles(found: Audit) -> str:
    tiles = []
    if found.reading is not None and found.reading.captchas is not None:
        share = found.reading.captchas
        tiles += [tile(share_text(share), f"of captchas read whole ({interval_text(share)})")]
    if found.milliseconds is not None:
        tiles += [tile(f"{found.milliseconds:.2g} ms", "CPU time to read one, from its glyphs, in batches")]
    for milestone in found.milestones:
        value = "–" if milestone.keystrokes is None else f"{milestone.keystrokes}"
        told = "not reached" if milestone.minutes is None else f"{time_text(milestone.minutes)} of typing"
        told = "; ".join(filter(None, (told, spread_text(milestone))))
        tiles += [tile(value, f"keystrokes to read {100 * milestone.target:.0f} % ({told})")]
    tiles += [
        tile(
            share_text(found.clean), f"cut cleanly into {found.length} cells ({interval_text(found.clean)})"
        ),
        tile(f"{found.shapes.distinct}", f"different shapes among {found.shapes.glyphs} glyphs"),
        tile(f"{100 * found.shapes.unseen_chance:.0f} %", "chance that the next glyph has a new shape"),
    ]
    if found.endpoint is not None:
        tiles += [
            tile(f"{found.endpoint.repeats}", f"exact repeats among {found.endpoint.received} received")
        ]
    return f'<div class="tiles">{"".join(tiles)}</div>'


def _effort(found: Audit) -> str:
    curves = [("asked by the labelling page", found.guided), ("captchas typed in full", found.points)]
    plot = line_plot(
        [
            (
                name,
                [p.keystrokes for p in points],
                [100 * p.accuracy.value for p in points],
                [
                    (100 * (p.accuracy.low if p.low is None else p.low),
                     100 * (p.accuracy.high if p.high is None else p.high))
                    for p in points
                ],
            )
            for name, points in curves
            if points
        ],
        "keystrokes", "captchas read (%)", "effort",
    )  # fmt: skip
    rows = [
        (
            "",
            [
                f"{p.keystrokes}<small>{name}</small>",
                f"{share_text(p.accuracy)}<small>{interval_text(p.accuracy)}</small>{_range(p)}",
            ],
        )
        for name, points in curves
        for p in points
    ]
    return (
        "<h2>How soon it falls</h2>\n<p>A person labels, a small network learns, and reads captchas it never saw: once "
        "answering only what a labelling page asks (one key for each group of look-alike glyphs, then the doubtful "
        "ones), once typing captchas in full, one keystroke a character and Enter. A minute is "
        f"{60 / found.seconds_per_keystroke:.0f} keystrokes (an assumption). "
        "The guided curve is the mean of several labellers, its band from the worst to the best of them; the other's "
        "band is the 95 % interval. The network is trained more shortly here than by <code>train</code>.</p>"
        '\n<div class="columns">'
        f'<div class="plot small">{plot}</div>{table(["keystrokes", "read"], rows)}</div>'
    )


def _range(point: EffortPoint) -> str:
    if point.low is None or point.high is None:
        return ""
    return f"<small>labellers {100 * point.low:.1f} to {100 * point.high:.1f}</small>"


def _remedies(found: Audit) -> str:
    rows = [
        (
            "",
            [
                f"{escape(r.name)}<small>{r.level:g} {escape(r.unit)}</small>",
                share_text(r.unprepared) + f"<small>{interval_text(r.unprepared)}</small>",
                share_text(r.prepared) + f"<small>{interval_text(r.prepared)}</small>",
            ],
        )
        for r in found.remedies
    ]
    return "<h2>Remedies tried</h2>\n" + table(["change", "today's reader", "reader trained on it"], rows)


def _characters(found: Audit) -> str:
    rows = [
        ("", [escape(name), share_text(s) + f"<small>{interval_text(s)}</small>"])
        for name, s in found.resisting
    ]
    confused = ", ".join(f"{escape(a)} as {escape(b)} ({n})" for a, b, n in found.confused) or "none"
    return (
        "<h2>Characters that resist most</h2>\n"
        + table(["character", "read right"], rows)
        + f"<p>Most frequent errors: {confused}.</p>"
    )

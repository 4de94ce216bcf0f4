"""The audit as one page, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from html import escape
from pathlib import Path

from captcha_lab.evaluate.audit.attack import TARGETS, Attack, EffortPoint, spread_text, time_text
from captcha_lab.evaluate.audit.result import Advice, Audit, ShownCaptcha
from captcha_lab.evaluate.audit.traits import Guess, TraitResult
from captcha_lab.evaluate.page.html import (
    framed,
    heading,
    interval_text,
    page,
    share_cell,
    share_text,
    table,
    tile,
    tiles,
)
from captcha_lab.evaluate.page.pictures import captcha
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
    text = json.dumps(audit_json(found), indent=1, ensure_ascii=False, allow_nan=False)
    write_bytes(json_path, (text + "\n").encode())
    write_bytes(html_path, audit_html(found).encode())
    return json_path, html_path


def audit_json(found: Audit) -> dict[str, object]:
    """The audit as JSON types; no pictures."""
    facts: dict[str, object] = plain(replace(found, shown=[], attacks=[]))
    facts["attacks"] = [plain(replace(attack, readings={})) for attack in found.attacks]
    facts["shown"] = [{"truth": one.truth, "readings": one.readings} for one in found.shown]
    return facts


def audit_html(found: Audit) -> str:
    """The page of an audit."""
    facts = [f"Dataset <b>{escape(found.dataset)}</b>", f"{found.captchas:,} captchas"]
    facts += [escape(text) for text in (found.url, found.date) if text]
    parts = [f'<p class="facts">{", ".join(facts)}</p>', _tiles(found)]
    parts += [_shown(found.shown)] if found.shown else []
    parts += [_attacks(found)] if found.attacks else []
    parts += [_advice(found.advice)] if found.advice else []
    parts += [_traits(found.traits)] if found.traits else []
    parts += [_guesses(found.guesses)] if found.guesses else []
    parts += [_remedies(found)] if found.remedies else []
    parts += [_characters(found)] if found.resisting else []
    parts += [glyph_section(found.reading)] if found.reading is not None else []
    notes = "".join(f"<li>{escape(note)}</li>" for note in found.notes)
    parts += [f"<h2>Not measured</h2>\n<ul>{notes}</ul>"] if notes else []
    parts += ["<p>No answer was sent anywhere: the captchas were read here, and only here.</p>"]
    return page("captcha-lab audit", found.verdict, found.grade, "\n".join(parts))


def _tiles(found: Audit) -> str:
    made = []
    for milestone in found.milestones:
        value = "–" if milestone.keystrokes is None else f"{milestone.keystrokes}"
        effort = "not reached" if milestone.minutes is None else f"{time_text(milestone.minutes)} of typing"
        effort = "; ".join(filter(None, (effort, spread_text(milestone))))
        made += [tile(value, f"keystrokes to read {100 * milestone.target:.0f} % ({effort})")]
    if found.milliseconds is not None:
        made += [tile(f"{found.milliseconds:.2g} ms", "of computing to read one, from its glyphs")]
    if found.clean is not None:
        made += [tile(share_text(found.clean), f"cut cleanly into cells ({interval_text(found.clean)})")]
    if found.shapes is not None:
        shapes = found.shapes
        made += [
            tile(f"{shapes.distinct:,}", f"different shapes among {shapes.glyphs:,} glyphs"),
            tile(f"{100 * shapes.unseen_chance:.0f} %", "chance that the next glyph has a new shape"),
        ]
    if found.endpoint is not None:
        made += [tile(f"{found.endpoint.repeats}", f"exact repeats among {found.endpoint.received} received")]
    return tiles(made)


def _shown(shown: Sequence[ShownCaptcha]) -> str:
    cells = "".join(_one(captcha_) for captcha_ in shown)
    said = "Test captchas with their text, and what each reader made of them after all the work below; ✗ is wrong."
    return f'<h2>What the readers read</h2>\n<p>{said}</p>\n<div class="captchas">{cells}</div>'


def _one(one: ShownCaptcha) -> str:
    lines = [
        f"{'' if read == one.truth else '✗ '}{escape(name)}: {escape(read) or 'nothing'}"
        for name, read in one.readings.items()
    ]
    wrong = all(read != one.truth for read in one.readings.values())
    below = f"<b>{escape(one.truth)}</b><br>{'<br>'.join(lines)}"
    return captcha(one.picture, below, "", f"{one.truth}, read by {'none' if wrong else 'some'}")


def _attacks(found: Audit) -> str:
    minute = f"{60 / found.seconds_per_keystroke:.0f}"
    head = [
        "reader",
        *(
            heading(
                f"{100 * target:.0f} %", f"Keystrokes until {100 * target:.0f} % of the captchas are read."
            )
            for target in TARGETS
        ),
        heading("at best", "Test captchas read after the most work that was tried."),
    ]
    rows = [("", [_named(attack), *_prices(attack), share_cell(attack.best)]) for attack in found.attacks]
    return (
        "<h2>What reading it costs</h2>\n<p>Keystrokes of labelling until a share of captchas that the reader "
        f"has never seen is read whole; a minute is {minute} keystrokes (an assumption).</p>\n"
        f"{table(head, rows)}\n{_plot(found.attacks)}"
    )


def _named(attack: Attack) -> str:
    return f"<b>{escape(attack.name)}</b><small>Needs {escape(attack.means)}.</small>"


def _prices(attack: Attack) -> Iterable[str]:
    for milestone in attack.milestones:
        if milestone.keystrokes is None or milestone.minutes is None:
            yield "–"
        elif milestone.keystrokes == 0:
            yield "0<small>no label</small>"
        else:
            spread = spread_text(milestone)
            time = time_text(milestone.minutes)
            yield f"{milestone.keystrokes}<small>{'; '.join(filter(None, (time, spread)))}</small>"


def _plot(attacks: Sequence[Attack]) -> str:
    lines = [
        (
            attack.name,
            [p.keystrokes for p in attack.points],
            [100 * p.accuracy.value for p in attack.points],
            [_band(p) for p in attack.points],
        )
        for attack in attacks
        if len(attack.points) > 1
    ]
    if not lines:
        return ""
    return framed(line_plot(lines, "keystrokes", "captchas read (%)", "effort"), "small")


def _band(point: EffortPoint) -> tuple[float, float]:
    low = point.accuracy.low if point.low is None else point.low
    high = point.accuracy.high if point.high is None else point.high
    return 100 * low, 100 * high


def _advice(lines: Sequence[Advice]) -> str:
    columns = []
    for helps, title in ((True, "Helps"), (False, "Does not help")):
        items = "".join(f"<li>{escape(line.text)}{_gain(line)}</li>" for line in lines if line.helps == helps)
        columns.append(
            f"<div><h3>{title}</h3><ul>{items or '<li>Nothing that was measured.</li>'}</ul></div>"
        )
    return f'<h2>What would help, and what would not</h2>\n<div class="columns">{"".join(columns)}</div>'


def _gain(line: Advice) -> str:
    return "" if line.gain is None else f" <small>Takes {100 * line.gain:.0f} % of the readings.</small>"


def _traits(results: Sequence[TraitResult]) -> str:
    """Of each trait changed by itself, what readers of whole captchas still read; the largest gain first."""
    rows = [
        (
            "",
            [
                f"{escape(r.text)}<small>{escape(r.trait)} {'added' if r.added else 'taken away'}</small>",
                "–" if r.unlabelled is None else share_cell(r.unlabelled),
                share_cell(r.learned),
            ],
        )
        for r in sorted(results, key=lambda result: -result.gain)
    ]
    first = results[0]
    head = ["the style, but for", "read without a label", f"with {first.captchas} typed captchas"]
    return (
        "<h2>What in the picture resists</h2>\n<p>The endpoint's style was drawn again with one trait changed, and the "
        "same reader trained on each. Captchas read whole; of the style as it is: "
        f"{share_text(first.own)} ({interval_text(first.own)}).</p>\n" + table(head, rows)
    )


def _guesses(guesses: Sequence[Guess]) -> str:
    rows = [("", [escape(g.text), share_cell(g.having), share_cell(g.others)]) for g in guesses]
    return (
        "<h2>What in the picture may resist</h2>\n<p>A guess: this endpoint's style can't be drawn again with one "
        "trait changed, so its captchas are compared among themselves, by the attack that reads most.</p>\n"
        + table(["captchas with", "of them read", "of the others"], rows)
    )


def _remedies(found: Audit) -> str:
    rows = [
        (
            "",
            [
                f"{escape(r.name)}<small>{r.level:g} {escape(r.unit)}</small>",
                share_cell(r.unprepared),
                share_cell(r.prepared),
            ],
        )
        for r in sorted(found.remedies, key=lambda remedy: remedy.prepared.value)
    ]
    head = ["change", "read by the reader as it is", "by a reader trained on the change"]
    return "<h2>Changes that were tried</h2>\n<p>Glyphs read.</p>\n" + table(head, rows)


def _characters(found: Audit) -> str:
    rows = [("", [escape(name), share_cell(share)]) for name, share in found.resisting]
    confused = ", ".join(f"{escape(a)} as {escape(b)} ({n})" for a, b, n in found.confused) or "none"
    return (
        "<h2>Characters that are read worst</h2>\n"
        + table(["character", "read right"], rows)
        + f"<p>Most frequent errors: {confused}.</p>"
    )

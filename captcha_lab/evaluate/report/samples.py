"""Samples on a page: contact sheets of real beside generated, their growth, walks, and nearest neighbours."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from html import escape

import numpy as np

from captcha_lab.evaluate.generators.attributes import AttributeResult
from captcha_lab.evaluate.generators.candidate import Training
from captcha_lab.evaluate.generators.result import Neighbourhood
from captcha_lab.evaluate.generators.stream import Shown
from captcha_lab.evaluate.generators.texts import AskedTexts
from captcha_lab.evaluate.page.pictures import cell, data_uri, png_uri
from captcha_lab.evaluate.real import RealData
from captcha_lab.evaluate.subject import Images

REAL_SHOWN = 3  # real images beside the samples of a class


def contact_sheet(shown: Shown, real: RealData, independent: Collection[str]) -> str:
    """A few real training images (left) beside samples (right), a row for each class, with what each is read as."""
    if not real.labelled:
        pictures = "".join(cell(image, title="sample") for image in shown.images)
        reals = "".join(cell(image, title="real") for image in real.train[: len(shown.images)])
        return (
            f'<h3>Real</h3>\n<div class="strip">{reals}</div>\n'
            f'<h3>Samples</h3>\n<div class="strip">{pictures}</div>'
        )
    conditioned = any(asked >= 0 for asked in shown.asked)
    rows = []
    for k, name in enumerate(real.classes):
        mine = [
            n
            for n in range(len(shown.images))
            if (shown.asked[n] if conditioned else _by_main(shown, n)) == k
        ]
        examples = real.train[np.flatnonzero(real.train_conditions == k)[:REAL_SHOWN]]
        left = "".join(cell(image, title=f"real {name}") for image in examples)
        right = "".join(_sample(shown, n, real.classes, independent) for n in mine) or "<i>none</i>"
        rows.append(
            f'<div class="kind"><b>{escape(str(name))}</b><span class="strip real">{left}</span>'
            f'<span class="strip">{right}</span></div>'
        )
    legend = "On the left real glyphs, then samples, each with what the recogniser reads. "
    legend += "Red and ✗: not the class that was asked for. " if conditioned else ""
    legend += "Yellow and ?: the independent readers differ about it." if independent else ""
    return f'<h3>Samples</h3>\n<p>{legend}</p>\n<div class="sheet">{"".join(rows)}</div>'


def _by_main(shown: Shown, n: int) -> int:
    """What the main reader reads; -1 where nobody reads."""
    return next(iter(shown.read[n].values()), -1)


def _sample(shown: Shown, n: int, classes: tuple[str, ...], independent: Collection[str]) -> str:
    """One sample: marked where it is not read as asked, or where independent readers differ about it."""
    asked, read, said = shown.asked[n], shown.read[n], _by_main(shown, n)
    opinions = {read[name] for name in independent if name in read}
    opinions = opinions if len(independent) > 1 else opinions | {said}
    mark = "bad" if asked >= 0 and said >= 0 and asked != said else "doubt" if len(opinions) > 1 else ""
    title = f"asked for {classes[asked]}, " if asked >= 0 else ""
    title += f"read {classes[said]} ({100 * shown.confidence[n]:.0f} %)" if said >= 0 else "not read"
    title += "".join(f", {name} reads {classes[c]}" for name, c in list(read.items())[1:])
    return cell(shown.images[n], str(classes[said]) if said >= 0 else "", mark, title)


def attribute_sheet(found: AttributeResult, count: int) -> str:
    """For each attribute, samples asked to show it and samples asked not to."""
    rows = []
    for k, name in enumerate(found.names):
        for wanted, title in ((True, name), (False, f"not {name}")):
            chosen = np.flatnonzero((found.asked[:, k] > 0) == wanted)[:count]
            marks = ["" if found.read[n, k] == wanted else "bad" for n in chosen]
            cells = "".join(
                cell(found.images[n], mark=mark, title=f"asked: {title}")
                for n, mark in zip(chosen, marks, strict=True)
            )
            strip = f'<span class="strip">{cells or "<i>none</i>"}</span>'
            rows.append(f'<div class="kind long"><b>{escape(title)}</b>{strip}</div>')
    said = "Samples by what they were asked to show. Red and ✗: the attribute network reads the opposite."
    return f'<p>{said}</p>\n<div class="sheet one">{"".join(rows)}</div>'


def text_sheet(found: AskedTexts) -> str:
    """Captchas, each with what is read."""
    cells = "".join(
        cell(
            image,
            read or "nothing",
            "" if read == asked else "bad",
            f"asked: {asked}, read: {read or 'nothing'}",
        )
        for image, asked, read in zip(found.images, found.asked, found.read, strict=True)
    )
    said = "Captchas of random texts, each with what the judge reads. Red and ✗: not the text that was asked for."
    return f'<h3>Whole captchas</h3>\n<p>{said}</p>\n<div class="strip captchas">{cells}</div>'


def growth(training: Training) -> str:
    """Samples of the same noise as training went on, side by side and as an animation."""
    if not training.sheets:
        return ""
    pictures = "".join(
        f'<figure><img src="{png_uri(sheet)}" alt="samples after {iteration} iterations">'
        f"<figcaption>{iteration:,} iterations</figcaption></figure>"
        for iteration, sheet in training.sheets
    )
    if training.animation is not None:
        pictures += (
            f'<figure><img src="{data_uri(training.animation, "gif")}" alt="samples as training went on, animated">'
            "<figcaption>all of them, one after the other</figcaption></figure>"
        )
    return (
        "<h3>Samples as training went on</h3>\n<p>The same noise each time, from early (left) to late.</p>\n"
        f'<div class="growth">{pictures}</div>'
    )


def walks(strips: Sequence[Images]) -> str:
    """Walks from one sample to another, a row each."""
    if not strips:
        return ""
    rows = "".join(
        f'<div class="strip">{"".join(cell(image, title=f"step {k + 1}") for k, image in enumerate(strip))}</div>'
        for strip in strips
    )
    said = (
        "From one sample (left) to another (right) in equal steps of the noise: smooth where it generalises."
    )
    return f"<h3>Interpolation</h3>\n<p>{said}</p>\n{rows}"


def neighbour_pairs(neighbours: Neighbourhood) -> str:
    """The samples nearest to a training image, each beside it."""
    pairs = "".join(
        f'<span class="pair">{cell(sample, "sample", title=f"distance {distance:.2f}")}'
        f"{cell(near, f'{distance:.2f}', title='nearest training image')}</span>"
        for sample, near, distance in zip(
            neighbours.samples, neighbours.nearest, neighbours.distance, strict=True
        )
    )
    return (
        "<h3>Nearest to the training set</h3>\n<p>The samples that come closest to a training image, each beside it: "
        f'a distance of 0 is a copy.</p>\n<div class="pairs">{pairs}</div>'
    )

"""What a captcha dataset says of itself: nothing that its labels and pictures show has to be configured."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from captcha_lab.alphabet import THESIS_ALPHABET, Alphabet
from captcha_lab.store.catalog.catalog import Catalog
from captcha_lab.store.catalog.labels import LabelLog

USUAL = 0.98  # of the labelled captchas must have one length for it to be the dataset's


@dataclass(frozen=True)
class Facts:
    """What is known of a captcha dataset.

    Attributes:
        captchas: pictures in use.
        labelled: of them, with a text.
        unreadable: of them, marked as such that no person can read.
        aside: pictures set aside.
        lengths: characters of a text -> number of captchas.
        alphabet: the characters of all labels, in code-point order.
        case_sensitive: whether some letter stands in both cases.
        sizes: (width, height) in pixels -> number of captchas, the commonest first.
    """

    captchas: int
    labelled: int
    unreadable: int
    aside: int
    lengths: dict[int, int]
    alphabet: str
    case_sensitive: bool
    sizes: dict[tuple[int, int], int]

    @property
    def length(self) -> int | None:
        """The one length of all texts but a few mistakes; None where texts differ in length or there are none."""
        if not self.lengths:
            return None
        length, count = max(self.lengths.items(), key=lambda pair: pair[1])
        return length if count >= USUAL * self.labelled else None

    @property
    def sentence(self) -> str:
        """The same in one line for people."""
        lengths = sorted(self.lengths)
        if not lengths:
            return f"{self.captchas} captchas, none labelled yet."
        number = str(self.length) if self.length else f"{lengths[0]} to {lengths[-1]}"
        case = ", upper and lower case apart" if self.case_sensitive else ""
        return (
            f"{self.captchas} captchas, {self.labelled} labelled: {number} characters of "
            f"{len(self.alphabet)} ({self.alphabet}){case}."
        )


def describe(catalog: Catalog) -> Facts:
    """The facts of a dataset, from its catalog alone."""
    log = LabelLog(catalog)
    images = {row.id: row for row in catalog.images()}
    labels = {image_id: label.value for image_id, label in log.text_labels().items() if image_id in images}
    texts = [text for text in labels.values() if text]
    used = set("".join(texts)) | {label.value for label in log.current().values() if label.value}
    return Facts(
        captchas=len(images),
        labelled=len(texts),
        unreadable=len(labels) - len(texts),
        aside=len(catalog.images(aside=True)),
        lengths=dict(sorted(Counter(map(len, texts)).items())),
        alphabet="".join(sorted(used)),
        case_sensitive=any(c.isupper() and c.lower() != c and c.lower() in used for c in used),
        sizes=dict(Counter((row.width, row.height) for row in images.values()).most_common()),
    )


def alphabet_of(catalog: Catalog, configured: str = "") -> Alphabet:
    """The characters that labels may have: the configured ones, else those that labels and the dataset name.

    The thesis's alphabet wherever it suffices, so that models of several datasets share their classes.
    """
    if configured:
        return Alphabet(configured)
    used = set(describe(catalog).alphabet) | set(catalog.get_meta("alphabet") or "")
    return Alphabet(THESIS_ALPHABET if used <= set(THESIS_ALPHABET) else "".join(sorted(used)))

"""`captcha-lab explain`."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Annotated

import typer

from captcha_lab.cli.output import JsonFlag, SeedOption, emit, say, suggest, table

EXAMPLES = (
    ("captcha-lab explain", "The topics."),
    (
        "captcha-lab explain saturation",
        "Why a GAN's generator stops learning and a Wasserstein GAN's does not.",
    ),
)


def run(
    topic: Annotated[
        str | None, typer.Argument(metavar="TOPIC", help="What to explain [default: list the topics].")
    ] = None,
    seed: SeedOption = 0,
    out: Annotated[
        Path | None, typer.Option(help="The picture, PNG or SVG [default: explain-TOPIC.png].")
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Explain by an experiment that runs here in seconds: distances, saturation, collapse and more.

    It prints a paragraph with its figures, and draws a picture.
    """
    from captcha_lab.extras import available, how_to_get
    from captcha_lab.generate.explain import get_topic, topics

    if topic is None:
        rows = [(t.name, t.summary, t.source) for t in topics().values()]
        emit(
            {"topics": [{"name": n, "summary": summary, "source": source} for n, summary, source in rows]},
            json,
            table(("topic", "what it shows", "source"), rows),
        )
        suggest("captcha-lab explain TOPIC", "the experiment, with its figures and a picture", json)
        return
    chosen = get_topic(topic)
    found = chosen.explain(seed)
    path = out or Path(f"explain-{chosen.name}.png")
    drawn = available("matplotlib")
    if drawn:
        found.save(path)
    else:
        say(how_to_get("matplotlib") or "")
    done = {"topic": chosen.name, "source": chosen.source, "text": found.paragraph, "figures": found.figures}
    lines = [*textwrap.wrap(found.paragraph, 100), f"Source: {chosen.source}."]
    emit(
        done | {"picture": str(path) if drawn else None},
        json,
        *lines,
        *([f"Picture: {path}."] if drawn else []),
    )
    suggest("captcha-lab explain", "the other topics", json)

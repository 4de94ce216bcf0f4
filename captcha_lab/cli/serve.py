"""`captcha-lab serve`."""

from __future__ import annotations

from typing import Annotated

import typer

from captcha_lab.cli.output import JsonFlag, emit, suggest
from captcha_lab.collect.endpoint.config import ANSWER_HEADER, EndpointConfig
from captcha_lab.collect.endpoint.traits import STYLES

EXAMPLES = (
    (
        "captcha-lab serve --style classic --port 8765",
        "Captchas like the thesis's, at http://127.0.0.1:8765/captcha.",
    ),
    (
        "captcha-lab serve --style variable --length 4-6 --alphabet 0123456789 --with-answers",
        "Four to six digits, unevenly spaced, with their texts in a header.",
    ),
)


def run(
    style: Annotated[
        str, typer.Option(help="; ".join(f"{k}: {v.summary}" for k, v in STYLES.items()) + ".")
    ] = EndpointConfig.style,
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 for any free one.")] = EndpointConfig.port,
    length: Annotated[
        str,
        typer.Option(
            metavar="N|N-M", help="Characters per captcha, or least and most [default: the style's]."
        ),
    ] = "",
    alphabet: Annotated[str, typer.Option(help="Characters to draw from [default: the style's].")] = "",
    seed: Annotated[
        int | None, typer.Option(help="Serve the same captchas in the same order each time.")
    ] = EndpointConfig.seed,
    with_answers: Annotated[
        bool, typer.Option("--with-answers", help=f"Send each text in the header {ANSWER_HEADER}.")
    ] = EndpointConfig.with_answers,
    faults: Annotated[
        str, typer.Option(help="Misbehave, step by step: for example 'ok*5,429=2,reset,robots.delay=1'.")
    ] = EndpointConfig.faults,
    json: JsonFlag = False,
) -> None:
    """Serve captchas on this machine, a fresh one for each GET of /captcha, until interrupted."""
    config = EndpointConfig(style, port, length, alphabet, seed, with_answers, faults)
    from captcha_lab.collect.endpoint.server import serve

    def started(url: str) -> None:
        emit({"url": url, "config": config}, json, f"Serving {style} captchas at {url} (Ctrl-C ends it).")
        suggest(f"captcha-lab scrape {url}", "in another terminal: captchas of this endpoint", json)

    try:
        serve(config, started)
    except KeyboardInterrupt:  # how it is meant to end
        return

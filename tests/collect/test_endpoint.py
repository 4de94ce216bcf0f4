"""The built-in endpoint over a real socket."""

import hashlib
import io
import json
import socket
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
import requests
from PIL import Image

from captcha_lab.collect.endpoint.config import ANSWER_HEADER, STYLE_HEADER, EndpointConfig
from captcha_lab.collect.endpoint.faults import FOREVER, Fault, parse_faults
from captcha_lab.collect.endpoint.painter import Painter
from captcha_lab.collect.endpoint.server import running_endpoint, serve
from captcha_lab.collect.endpoint.traits import STYLES, changes, traits_from
from captcha_lab.errors import CaptchaLabError, UsageError


def fetch(url: str, count: int) -> list[requests.Response]:
    with requests.Session() as session:
        return [session.get(url, timeout=10) for _ in range(count)]


@pytest.mark.parametrize("style", STYLES)
def test_every_get_is_a_fresh_captcha_and_a_seed_repeats_them(style: str) -> None:
    runs = []
    for _ in range(2):
        with running_endpoint(style=style, seed=7) as url:
            runs.append([reply.content for reply in fetch(url, 3)])
    assert runs[0] == runs[1]
    assert len(set(runs[0])) == 3
    image = Image.open(io.BytesIO(runs[0][0]))
    assert image.format == ("JPEG" if style == "classic" else "PNG")
    if style in ("classic", "image"):
        assert image.size == {"classic": (80, 20), "image": (160, 60)}[style]


# Text and first digits of the picture's digest of captcha 0 of seed 7, as released.
RELEASED = {"classic": ("YNPW", "b846d0ed2eba"), "image": ("YNPW", "4d92b1a0f2f6")}


@pytest.mark.parametrize("style", RELEASED)
def test_a_seed_draws_what_it_drew_when_it_was_released(style: str) -> None:
    text, picture = Painter(EndpointConfig(style=style, seed=7))(0)
    assert (text, hashlib.sha256(picture).hexdigest()[:12]) == RELEASED[style]


@pytest.mark.parametrize("style", STYLES)
def test_each_trait_changes_the_picture_and_is_changed_alone(style: str) -> None:
    config = EndpointConfig(style=style, seed=3)
    own = Painter(config).draw(0)[1]
    found = changes(config.traits)
    assert len({change.trait for change in found}) == len(found) == 7
    for change in found:
        pictures = [Painter(config, change.traits).draw(k)[1] for k in range(3)]
        assert pictures[0].shape != own.shape or not np.array_equal(pictures[0], own)
        assert all(picture.std() > 5 for picture in pictures), change.text  # something is written there
        differing = [k for k, v in asdict(config.traits).items() if asdict(change.traits)[k] != v]
        assert len(differing) == (2 if change.trait == "length" and not change.added else 1)


def test_texts_have_every_length_of_the_style_or_the_one_asked_for() -> None:
    painter = Painter(EndpointConfig(style="variable", seed=1))
    assert {len(painter.draw(k)[0]) for k in range(60)} == set(range(3, 9))
    assert len(Painter(EndpointConfig(style="variable", seed=1, length="5"))(0)[0]) == 5
    lengths = {len(Painter(EndpointConfig(seed=1, length="2-3"))(k)[0]) for k in range(20)}
    assert lengths == {2, 3}


def test_inverse_is_light_on_dark() -> None:
    for style, dark in (("inverse", True), ("variable", False)):
        picture = Painter(EndpointConfig(style=style, seed=1)).draw(0)[1]
        assert (np.median(picture) < 60) == dark


def test_the_style_is_described_and_what_is_no_description_is_refused() -> None:
    with running_endpoint(style="coloured", seed=1) as url:
        told = json.loads(fetch(url, 1)[0].headers[STYLE_HEADER])
    assert told["style"] == "coloured"
    assert traits_from(told["traits"]) == STYLES["coloured"].traits
    wrongs: list[Any] = [None, [], {}, {**told["traits"], "strokes": "many"}, {"shortest": 1}]
    wrongs += [{**told["traits"], **own} for own in ({"strokes": 1000}, {"shortest": 9}, {"fonts": 0})]
    assert [traits_from(wrong) for wrong in wrongs] == [None] * 8


def test_without_a_seed_a_restart_does_not_repeat() -> None:
    config = EndpointConfig()
    assert Painter(config)(0) != Painter(config)(0)


def test_the_answer_is_sent_only_when_asked_for() -> None:
    with running_endpoint(seed=1) as url:
        assert ANSWER_HEADER not in fetch(url, 1)[0].headers
    with running_endpoint(seed=1, with_answers=True, length=6, alphabet="01") as url:
        answer = fetch(url, 1)[0].headers[ANSWER_HEADER]
    assert answer == Painter(EndpointConfig(seed=1, length=6, alphabet="01"))(0)[0]
    assert len(answer) == 6
    assert set(answer) <= {"0", "1"}


def test_it_has_a_robots_txt_that_allows_the_captcha() -> None:
    with running_endpoint() as url:
        reply = requests.get(url.replace("/captcha", "/robots.txt"), timeout=10)
    assert reply.ok
    assert "Allow: /captcha" in reply.text


def test_serve_names_its_url_only_once_it_takes_connections() -> None:
    class ReachedError(Exception):
        pass

    def connect(url: str) -> None:
        with socket.create_connection(("127.0.0.1", int(url.split(":")[2].split("/")[0])), timeout=5):
            raise ReachedError

    with pytest.raises(ReachedError):
        serve(EndpointConfig(port=0), connect)


def test_a_taken_port_is_explained() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(CaptchaLabError, match=f"Port {port}.*--port"), running_endpoint(port=port):
            pass


@pytest.mark.parametrize("style", STYLES)
def test_an_alphabet_the_font_lacks_is_refused_before_serving(style: str) -> None:
    with (
        pytest.raises(UsageError, match="leave it out of --alphabet"),
        running_endpoint(style=style, alphabet="A\U0001f984"),
    ):
        pass


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"style": "gothic"}, "no style 'gothic'"),
        ({"length": 0}, "--length 0"),
        ({"length": "8-3"}, "--length 8-3"),
        ({"length": "3-17"}, "--length 3-17"),
        ({"length": "many"}, "give a number"),
        ({"port": 70000}, "--port 70000"),
        ({"seed": -1}, "--seed -1"),
        ({"alphabet": "AA"}, "repeats A"),
    ],
)
def test_impossible_configurations(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        EndpointConfig(**options)


def test_a_spec_is_parsed_into_steps() -> None:
    faults = parse_faults("ok*5, 429=date:3, reset*forever, robots.delay=1")
    assert faults.captcha == ((Fault("ok"), 5), (Fault("429", "date:3"), 1), (Fault("reset"), FOREVER))
    assert faults.robots == ((Fault("delay", "1"), 1),)
    assert parse_faults("").captcha == ()


@pytest.mark.parametrize(
    "spec",
    ["smoke", "200", "600", "ok*x", "stall=long", "exotic=jp3", "disallow", "robots.same", "429=a b", "=3"],
)
def test_a_wrong_spec_is_named(spec: str) -> None:
    with pytest.raises(UsageError, match="--faults"):
        parse_faults(spec)

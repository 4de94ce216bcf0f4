"""The built-in endpoint over a real socket."""

import io
import socket
from typing import Any

import pytest
import requests
from PIL import Image

from captcha_lab.collect.endpoint.config import ANSWER_HEADER, EndpointConfig
from captcha_lab.collect.endpoint.faults import FOREVER, Fault, parse_faults
from captcha_lab.collect.endpoint.server import Painter, running_endpoint, serve
from captcha_lab.errors import CaptchaLabError, UsageError


def fetch(url: str, count: int) -> list[requests.Response]:
    with requests.Session() as session:
        return [session.get(url, timeout=10) for _ in range(count)]


@pytest.mark.parametrize(
    ("style", "size", "kind"), [("classic", (80, 20), "JPEG"), ("image", (160, 60), "PNG")]
)
def test_every_get_is_a_fresh_captcha_and_a_seed_repeats_them(
    style: str, size: tuple[int, int], kind: str
) -> None:
    runs = []
    for _ in range(2):
        with running_endpoint(style=style, seed=7) as url:
            runs.append([reply.content for reply in fetch(url, 3)])
    assert runs[0] == runs[1]
    assert len(set(runs[0])) == 3
    image = Image.open(io.BytesIO(runs[0][0]))
    assert (image.size, image.format) == (size, kind)


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


@pytest.mark.parametrize("style", ["classic", "image"])
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

"""Whoever is not the person at the page gets nothing and changes nothing."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from captcha_lab.label.web.access import SECRET_NAME, Access, load_secret
from tests.label.page_client import Client

ASKED: dict[str, Any] = {"id": "captcha-1", "queue": "captcha", "kind": "text", "members": [[1, None, None]]}
ACT: dict[str, Any] = {
    "question": ASKED,
    "value": "AB",
    "left_out": [],
    "corrections": [],
    "keystrokes": 1,
    "session": "s",
    "token": "t",
    "revision": 0,
}


def attack(fortress: Any, **headers: Any) -> Any:
    """Status of an act with some headers replaced; asserts that it changed nothing."""
    status, _, body = fortress.request("POST", f"{fortress.room}api/act", json.dumps(ACT).encode(), **headers)
    assert fortress.state()["revision"] == 0, "an attack was saved"
    return status, json.loads(body)


def test_the_same_act_unattacked_is_saved(served: Client) -> None:
    status, reply = served.post("act", **ACT)
    assert (status, reply["act"]) == (200, 1)
    assert served.state()["revision"] == 1


@pytest.mark.parametrize("cookie", [None, "", "captcha_lab_review=", "captcha_lab_review=0000", "other=1"])
def test_without_the_cookie_nothing_is_shown_or_taken(fortress: Client, cookie: str | None) -> None:
    assert attack(fortress, Cookie=cookie)[0] == 403
    for path in ("", "static/main.js", "glyph/1-0.png", "captcha/1.png"):
        assert fortress.request("GET", fortress.room + path, Cookie=cookie)[0] == 403


def test_a_wrong_token_gives_no_cookie(fortress: Client) -> None:
    for token in ("", "wrong", fortress.url[-10:], "é"):
        status, headers, _ = fortress.request(
            "GET", f"{fortress.room}?token={token.encode().hex()}", Cookie=None
        )
        assert (status, headers["set-cookie"]) == (403, None)


def test_the_cookie_is_strict_and_bound_to_the_page(fortress: Client) -> None:
    parts = urlsplit(fortress.url)
    _, headers, body = fortress.request(
        "GET", f"{parts.path}?{parts.query}", Cookie=None, Sec_Fetch_Site="cross-site"
    )
    cookie = headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert f"Path={parts.path.rstrip('/')}" in cookie
    assert parts.query.partition("=")[2] not in cookie + body.decode()  # the token itself is not handed back


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "127.0.0.1:{port}.evil.example",
     "localhost.evil.example:{port}", "127.0.0.1.nip.io:{port}", "[::1]", "[::1]:1", "[::2]:{port}",
     "[::1].evil.example:{port}", "0.0.0.0:{port}", "127.1:{port}", "2130706433:{port}", "user@127.0.0.1:{port}",
     "127.0.0.1:{port}:{port}", "", " ", "127.0.0.1:٣"],
)  # fmt: skip
def test_a_foreign_host_is_refused(fortress: Client, host: str) -> None:
    name = host.format(port=fortress.port).encode("utf-8").decode("latin-1")
    status, _ = attack(fortress, Host=name, Origin=f"http://{name}")
    assert status in (400, 421)


def test_no_host_and_two_hosts_are_refused(fortress: Client) -> None:
    head = f"GET {fortress.room} HTTP/1.1\r\nCookie: {fortress.cookie}\r\nConnection: close\r\n"
    assert fortress.raw(f"{head}\r\n".encode()).split()[1] in (b"400", b"421")
    two = f"{head}Host: {fortress.host}\r\nHost: {fortress.host}\r\n\r\n"
    assert fortress.raw(two.encode()).split()[1] in (b"400", b"421")
    old = f"GET {fortress.room} HTTP/1.0\r\nCookie: {fortress.cookie}\r\n\r\n"
    assert fortress.raw(old.encode()).split()[1] == b"421"


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "localhost:{port}", "LOCALHOST:{port}", "[::1]:{port}"])
def test_this_machine_by_its_names_is_answered(fortress: Client, host: str) -> None:
    name = host.format(port=fortress.port)
    assert fortress.request("GET", fortress.room, Host=name)[0] == 200
    body = json.dumps({"queue": None, "count": 0, "exclude": []}).encode()
    status, _, _ = fortress.request(
        "POST", f"{fortress.room}api/state", body, Host=name, Origin=f"http://{name.lower()}"
    )
    assert status == 200


@pytest.mark.parametrize(
    "origin",
    [None, "null", "http://evil.example", "https://{host}", "http://{host}.evil.example", "http://127.0.0.1:1",
     "http://localhost:{port}", "{host}"],
)  # fmt: skip
def test_a_write_from_another_origin_is_refused(fortress: Client, origin: str | None) -> None:
    value = None if origin is None else origin.format(host=fortress.host, port=fortress.port)
    assert attack(fortress, Origin=value)[0] == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site", "none"])
def test_a_write_the_browser_calls_foreign_is_refused(fortress: Client, site: str) -> None:
    assert attack(fortress, Sec_Fetch_Site=site)[0] == 403


def test_a_foreign_page_can_not_read_pictures(fortress: Client) -> None:
    assert fortress.request("GET", f"{fortress.room}glyph/1-0.png", Sec_Fetch_Site="cross-site")[0] == 403
    _, headers, _ = fortress.request("GET", f"{fortress.room}glyph/1-0.png")
    assert headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize(
    "kind", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]
)
def test_what_a_form_could_send_is_refused(fortress: Client, kind: str | None) -> None:
    assert attack(fortress, Content_Type=kind)[0] == 415


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
def test_other_methods_are_refused(fortress: Client, method: str) -> None:
    assert fortress.request(method, fortress.room)[0] == 405


@pytest.mark.parametrize(
    "path",
    ["static/../../../access.py", "static/..%2f..%2faccess.py", "static/%2e%2e/app.py", "static//etc/passwd",
     "static/main.js%00.css", "glyph/../catalog.sqlite", "glyph/1-0.png/../../x", "glyph/1--1.png", "glyph/-1-0.png",
     "glyph/1-9.png", "glyph/99999999999999999999999999-0.png", "glyph/1-99999999999999999999999.png",
     "captcha/..%2f..%2fcatalog.sqlite", "captcha/1.0.png", "captcha/0x1.png", "captcha/77777.png", "review-secret"],
)  # fmt: skip
def test_no_path_leads_to_the_disk(fortress: Client, path: str) -> None:
    status, _, body = fortress.request("GET", fortress.room + path)
    assert status == 404
    assert json.loads(body)["kind"] == "unknown"


def test_the_page_lives_nowhere_else(fortress: Client) -> None:
    for path in ("/", "/static/main.js", "/0000/", "/api/state", "/favicon.ico"):
        assert fortress.request("GET", path)[0] == 404


def test_an_oversized_body_is_refused_before_it_is_read(fortress: Client) -> None:
    assert attack(fortress, Content_Length=str(1 << 40))[0] == 413
    status, _, _ = fortress.request("POST", f"{fortress.room}api/act", b" " * ((1 << 20) + 1))
    assert status == 413
    chunks = b"10000\r\n" + b" " * 65536 + b"\r\n"
    head = (
        f"POST {fortress.room}api/act HTTP/1.1\r\nHost: {fortress.host}\r\nOrigin: http://{fortress.host}\r\n"
        f"Cookie: {fortress.cookie}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    assert fortress.raw(head.encode() + chunks * 17 + b"0\r\n\r\n").split()[1] == b"413"
    assert fortress.state()["revision"] == 0


def changed(change: Any) -> bytes:
    """An act as a client would send it, with something else in it."""
    return json.dumps(ACT | change).encode()


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"null", b"{", b"\xff\xfe", b"[" * 100_000, b'{"queue": 1}',
     *(changed(change) for change in [
         {"question": "x"}, {"question": ASKED | {"queue": "none"}}, {"question": ASKED | {"kind": "none"}},
         *({"question": ASKED | {"members": members}} for members in [
             [], "A", [[1, None]], [[True, None, None]], [[1, 4, None]], [[999, None, None]], [[-1, None, None]],
             [[1e3, None, None]], [[2**70, None, None]], [[1, 1e3, None]], [[1, None, 1]], [[1, None, None]] * 2]),
         {"value": "A B"}, {"value": "A" * 65}, {"value": "A" * 300}, {"value": 1}, {"value": "A\x00"},
         {"left_out": {}}, {"left_out": [[1]]}, {"corrections": [[1, None]]}, {"corrections": [[1, None, 7]]},
         {"keystrokes": -1}, {"keystrokes": 10**9}, {"keystrokes": True},
         {"token": ""}, {"token": "a" * 65}, {"token": "../x"}, {"token": None}, {"session": "a b"},
         {"revision": "0"}, {"revision": None}, {"revision": -1}])],
)  # fmt: skip
def test_a_malformed_act_is_refused_whole(fortress: Client, body: Any) -> None:
    status, _, reply = fortress.request("POST", f"{fortress.room}api/act", body)
    assert status == 400
    assert json.loads(reply)["error"].endswith("nothing was saved.")
    assert fortress.state()["revision"] == 0


def test_every_answer_carries_the_headers(fortress: Client) -> None:
    for path, cookie in (
        (fortress.room, fortress.cookie),
        (fortress.room, None),
        ("/nowhere", fortress.cookie),
    ):
        _, headers, _ = fortress.request("GET", path, Cookie=cookie)
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["access-control-allow-origin"] is None


def test_the_secret_is_its_owners_alone_and_lasts(tmp_path: Path) -> None:
    first = load_secret(tmp_path)
    path = tmp_path / SECRET_NAME
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_secret(tmp_path) == first
    one, two = Access.of_secret(first), Access.of_secret(first)
    assert one.key == two.key
    assert not {one.room, one.cookie, one.token, one.start} & {two.room, two.cookie, two.token, two.start}
    path.chmod(0o644)
    assert load_secret(tmp_path) != first
    path.unlink()
    (tmp_path / "elsewhere").write_bytes(b"x" * 32)
    path.symlink_to(tmp_path / "elsewhere")
    from captcha_lab.errors import CaptchaLabError

    with pytest.raises(CaptchaLabError, match="review-secret"):
        load_secret(tmp_path)


@pytest.mark.parametrize(
    "request_", [b"\x16\x03\x01\r\n\r\n", b"GET /\xff HTTP/1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\n"]
)
def test_malformed_requests_fill_no_terminal(
    request_: bytes, served: Client, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        served.raw(request_)
    upgrade = f"GET {served.room} HTTP/1.1\r\nHost: {served.host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    served.raw(upgrade.encode())
    assert not caplog.records

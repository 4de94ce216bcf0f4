"""A page trusts only the server that has its key, and no connection keeps others out."""

from __future__ import annotations

import json
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from captcha_lab.label.web import connections
from captcha_lab.label.web.access import Access
from captcha_lab.label.web.config import ReviewConfig
from captcha_lab.label.web.server import running_review
from tests.label import page_data
from tests.label.browser_steps import open_page
from tests.label.page_client import Client


def hello(client: Client, host: str | None = None, **message: Any) -> tuple[int, dict[str, Any], str | None]:
    host = host or client.host
    status, headers, body = client.request(
        "POST", "/hello", json.dumps(message).encode(), Cookie=None, Host=host, Origin=f"http://{host}"
    )
    return status, json.loads(body), headers["set-cookie"]


def test_the_server_proves_that_it_has_the_key(fortress: Client) -> None:
    status, reply = fortress.post("key")
    assert status == 200
    shared = Access(reply["key"])
    nonce = "ab" * 16
    status, said, cookie = hello(fortress, nonce=nonce)
    assert (status, cookie) == (200, None)
    assert said["start"] == reply["start"]
    assert said["proof"] == shared.proof("server", fortress.host, f"{nonce} {said['start']}")
    assert reply["key"] not in json.dumps(said)
    other = hello(fortress, f"localhost:{fortress.port}", nonce=nonce)[1]
    assert other["proof"] != said["proof"]  # a proof is for one address


def test_a_page_that_has_the_key_is_let_in_once(fortress: Client) -> None:
    shared = Access(fortress.post("key")[1]["key"])
    asked = hello(fortress, nonce="0" * 32)[1]["nonce"]
    proof = shared.proof("page", fortress.host, asked)
    status, reply, cookie = hello(fortress, nonce=asked, proof=proof)
    assert status == 200
    assert f"/{reply['room']}/" == fortress.room
    assert cookie is not None
    assert fortress.cookie in cookie
    assert hello(fortress, nonce=asked, proof=proof)[0] == 403


@pytest.mark.parametrize("wrong", ["", "0" * 64, "é", "server", "another host", "another nonce"])
def test_a_page_without_the_key_is_not(fortress: Client, wrong: str) -> None:
    shared = Access(fortress.post("key")[1]["key"])
    asked = hello(fortress, nonce="0" * 32)[1]["nonce"]
    proof = {
        "server": shared.proof("server", fortress.host, asked),
        "another host": shared.proof("page", "127.0.0.1:1", asked),
        "another nonce": shared.proof("page", fortress.host, "1" * 32),
    }.get(wrong, wrong)
    status, reply, cookie = hello(fortress, nonce=asked, proof=proof)
    assert (status, cookie) == (403, None)
    assert "room" not in reply


def test_the_key_is_for_the_page_alone(fortress: Client) -> None:
    path = f"{fortress.room}api/key"
    assert fortress.request("POST", path, b"{}", Cookie=None)[0] == 403
    assert fortress.request("POST", path, b"{}", Origin="http://evil.example")[0] == 403
    assert fortress.request("POST", "/hello", b'{"nonce": "a"}', Origin="http://evil.example")[0] == 403


@contextmanager
def stranger(port: int) -> Iterator[list[tuple[str, dict[str, str], bytes]]]:
    """Another program at the page's port, which notes what it is sent and agrees to everything."""
    seen: list[tuple[str, dict[str, str], bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append((self.path, dict(self.headers), body))
            reply = json.dumps({"proof": "0" * 64, "nonce": "1" * 32, "start": "2", "act": 1, "revision": 1})
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(reply.encode())

        def log_message(self, *_: object) -> None:
            pass

    ThreadingHTTPServer.allow_reuse_address = True
    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield seen
        server.shutdown()


@pytest.mark.browser
def test_a_stranger_at_the_port_is_told_nothing(context: Any, tmp_path: Path) -> None:
    folder, texts = page_data.make_dataset(tmp_path / "stranger")
    with running_review(page_data.desk(folder, texts), ReviewConfig(port=0, browser=False)) as url:
        client = Client(url)
        page = open_page(context, client, "Closest calls")
    page.keyboard.type("A")
    page.wait_for_selector("#link[data-state=lost]")
    with stranger(client.port) as seen:
        page.wait_for_selector("#banner:has-text('Another program')")
        page.wait_for_selector("#link[data-state=lost]")
    assert {path for path, _, _ in seen} == {"/hello"}
    assert not any("Cookie" in headers for _, headers, _ in seen)
    assert all(set(json.loads(body)) == {"nonce"} for _, _, body in seen)


def idle(port: int, count: int, stack: ExitStack) -> list[socket.socket]:
    return [
        stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10)) for _ in range(count)
    ]


def test_connections_that_keep_silent_keep_nobody_out(served: Client) -> None:
    with ExitStack() as stack:
        for sock in idle(served.port, 3 * connections.MAX_CONNECTIONS, stack)[::2]:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: ")
        assert served.state()["revision"] == 0


def test_requests_that_hold_back_their_bodies_keep_nobody_out(served: Client) -> None:
    """`/hello` is open to pages of an earlier start: it waits for a body before anyone has proved anything."""
    head = f"POST /hello HTTP/1.1\r\nHost: {served.host}\r\nOrigin: http://{served.host}\r\n"
    head += "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    with ExitStack() as stack:
        for sock in idle(served.port, connections.MAX_CONNECTIONS + 10, stack):
            sock.sendall(head.encode())
        time.sleep(0.3)  # until all of them are being waited for
        for _ in range(5):
            assert served.state()["revision"] == 0


def test_replies_that_nobody_takes_keep_nobody_out(served: Client) -> None:
    ask = f"GET /trust/trust.js HTTP/1.1\r\nHost: {served.host}\r\n\r\n".encode()
    with ExitStack() as stack:
        for sock in idle(served.port, connections.MAX_CONNECTIONS + 10, stack):
            sock.settimeout(0.2)
            with suppress(TimeoutError, ConnectionError):
                sock.sendall(ask * 5000)
        for _ in range(5):
            assert served.state()["revision"] == 0


def test_a_connection_without_a_whole_head_is_closed(dataset: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEADER_SECONDS", 0.3)
    folder, texts = dataset
    with (
        running_review(page_data.desk(folder, texts), ReviewConfig(port=0, browser=False)) as url,
        ExitStack() as stack,
    ):
        client = Client(url).enter()
        silent, slow = idle(client.port, 2, stack)
        slow.sendall(b"GET / HTTP/1.1\r\nHost: ")
        for sock in (silent, slow):
            with suppress(ConnectionResetError):
                assert sock.recv(1) == b""
        assert client.state()["revision"] == 0


SERVE = """
import sys
from pathlib import Path
from captcha_lab.label.web import connections
connections.MAX_CONNECTIONS = 10_000
from captcha_lab.label.web.config import ReviewConfig
from captcha_lab.label.web.server import serve
from captcha_lab.store.workspace import DatasetFolder
from tests.label import page_data
folder, texts = page_data.make_dataset(Path(sys.argv[1]))
serve(page_data.desk(folder, texts), ReviewConfig(port=0, browser=False), lambda url: print(url, flush=True))
"""


def test_running_out_of_file_handles_is_quiet_and_passes(tmp_path: Path) -> None:
    limit = 200
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(tmp_path / "handles")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)),
    )
    try:
        assert process.stdout is not None
        client = Client(process.stdout.readline().strip()).enter()
        with ExitStack() as stack:
            idle(client.port, limit + 15, stack)
            time.sleep(2.0)  # what it would say it says a thousand times in so long
        deadline = time.monotonic() + 20
        while client.request("GET", client.room)[0] != 200:
            assert time.monotonic() < deadline
    finally:
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert len(said) < 500, said[:2000]

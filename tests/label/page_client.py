"""A client that knows the way into a review page."""

from __future__ import annotations

import http.client
import json
import re
import socket
import threading
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tests.helpers import present


@dataclass
class Client:
    """Speaks HTTP to the page as a browser would, headers to choose."""

    url: str
    cookie: str = ""
    tokens: int = 0

    @property
    def port(self) -> int:
        return urlsplit(self.url).port or 0

    @property
    def room(self) -> str:
        return urlsplit(self.url).path

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def request(self, method: str, path: str, body: bytes = b"", **headers: str | None) -> Any:
        """Status, headers and body; a header given as None is left out."""
        standard = {"Host": self.host, "Cookie": self.cookie or None, "Sec-Fetch-Site": "same-origin"}
        if method == "POST":
            standard |= {"Origin": f"http://{self.host}", "Content-Type": "application/json"}
        wanted = standard | {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in wanted.items():
                if value is not None:
                    connection.putheader(name, value)
            if method == "POST" and "Content_Length" not in headers:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body or None)
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def raw(self, data: bytes) -> bytes:
        """What comes back for bytes sent as they are."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as sock:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: sock.recv(65536), b""))

    def enter(self) -> Client:
        """Trade the token for the cookie."""
        parts = urlsplit(self.url)
        status, headers, _ = self.request("GET", f"{parts.path}?{parts.query}")
        assert status == 200
        self.cookie = present(re.match(r"[^;]+", headers["set-cookie"]))[0]
        return self

    def wait(self) -> Client:
        """Wait until the glyphs are compared."""
        for _ in range(1500):
            if self.state()["work"]["ready"]:
                return self
            threading.Event().wait(0.02)
        raise AssertionError("the engine never came")

    def post(self, name: str, **message: Any) -> tuple[int, dict[str, Any]]:
        """Status and JSON of one call of the page's interface."""
        status, _, body = self.request("POST", f"{self.room}api/{name}", json.dumps(message).encode())
        return status, json.loads(body)

    def state(self, queue: str | None = "captcha", count: int = 6) -> dict[str, Any]:
        """Where the work stands."""
        status, reply = self.post("state", queue=queue, count=count, exclude=[])
        assert status == 200, reply
        return reply

    def act(
        self, marks: list[list[Any]], revision: int, queue: str = "uncertain", **more: Any
    ) -> tuple[int, dict[str, Any]]:
        """Send one act: each mark (image, position or None, value) as typed."""
        kind = "page" if len(marks) != 1 else "glyph" if marks[0][1] is not None else "text"
        question = {
            "id": "asked",
            "queue": queue,
            "kind": kind,
            "members": [[*mark[:2], None] for mark in marks],
        }
        return self.say(question, revision, corrections=marks, **more)

    def say(self, question: dict[str, Any], revision: int, **more: Any) -> tuple[int, dict[str, Any]]:
        """Answer a question, as `state` gave it or made up."""
        self.tokens += 1
        members = [
            m if isinstance(m, list) else [m["image_id"], m["position"], m["proposal"]]
            for m in question["members"]
        ]
        asked = {
            "id": question["id"],
            "queue": question["queue"],
            "kind": question["kind"],
            "members": members,
        }
        if asked["kind"] == "cluster":
            asked["members"] = members[:1]
        message: dict[str, Any] = {
            "question": asked,
            "value": None,
            "left_out": [],
            "keystrokes": 1,
            "session": "test",
            "token": f"token-{self.tokens}",
            "revision": revision,
        }
        return self.post("act", **(message | more))

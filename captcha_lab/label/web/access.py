"""Who may use the page, and how the page knows that it still talks to the same person's server.

Cookies are shared among all ports of a host, and on a shared machine another user may take the port when the server
has stopped, or hold another one. So the page lives under a path nobody can guess, its cookie is bound to that path, and
both are new at every start: what an open page sends to whoever answers after us opens nothing.

An open page outlives its server all the same: page and server share a key, which never travels after the page has got
it. Before the page sends anything it asks the server to prove that it has the key, and a new start lets a page in that
proves the same (`hello`). Both proofs name the address that the page speaks to, so that a stranger at another port
can't hand them on.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
import stat
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from captcha_lab.errors import CaptchaLabError
from captcha_lab.store.portable import BINARY

COOKIE = "captcha_lab_review"
SECRET_NAME = "review-secret"
_BYTES = 32
_WAITING = 64  # questions put to pages and not answered yet, at most


@dataclass(frozen=True)
class Access:
    """The words of one start of the server. Compare with `hmac.compare_digest` only."""

    key: str  # in hex; the dataset's, shared by server and page
    room: str = field(default_factory=lambda: secrets.token_hex(11))  # path segment the page lives under
    cookie: str = field(default_factory=lambda: secrets.token_hex(32))  # value of the cookie
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))  # in the printed address
    start: str = field(default_factory=lambda: secrets.token_hex(8))  # names this start, openly
    _asked: deque[str] = field(default_factory=lambda: deque(maxlen=_WAITING))

    @classmethod
    def of_secret(cls, secret: bytes) -> Access:
        """The key follows from the secret, so that an open page knows a restarted server."""
        return cls(hmac.new(secret, b"captcha-lab review key", hashlib.sha256).hexdigest())

    def admits_token(self, token: str) -> bool:
        """Whether the address held the right token."""
        return hmac.compare_digest(token.encode(), self.token.encode())

    def admits_cookie(self, value: str) -> bool:
        """Whether the request's cookie is ours."""
        return hmac.compare_digest(value.encode(), self.cookie.encode())

    def set_cookie(self) -> str:
        """The Set-Cookie header."""
        return f"{COOKIE}={self.cookie}; Path=/{self.room}; HttpOnly; SameSite=Strict"

    def proof(self, who: str, host: str, nonce: str) -> str:
        """What only `server` and `page` can say of a nonce at an address, in hex."""
        message = f"{who}\n{host}\n{nonce}".encode()
        return hmac.new(bytes.fromhex(self.key), message, hashlib.sha256).hexdigest()

    def ask(self) -> str:
        """A nonce for a page to prove itself with, once."""
        nonce = secrets.token_hex(16)
        self._asked.append(nonce)
        return nonce

    def admits_proof(self, host: str, nonce: str, proof: str) -> bool:
        """Whether a page at `host` has the key; a nonce counts once."""
        if nonce not in self._asked:
            return False
        self._asked.remove(nonce)
        return hmac.compare_digest(proof.encode(), self.proof("page", host, nonce).encode())


def load_secret(folder: Path) -> bytes:
    """The dataset's secret, made on first use, readable by its owner alone; made anew if others could read it.

    Raises:
        CaptchaLabError: the disk refuses, or a link lies in its place.
    """
    path = folder / SECRET_NAME
    try:
        if path.is_symlink():
            raise CaptchaLabError(f"{path} is a link, which the secret never is: remove it.")
        with contextlib.suppress(FileNotFoundError):
            with path.open("rb") as file:
                private = not stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077 or os.name == "nt"
                secret = file.read(_BYTES + 1)
            if private and len(secret) == _BYTES:
                return secret
            path.unlink()
        return _new_secret(path)
    except OSError as error:
        raise CaptchaLabError(
            f"{path} can't be used ({error.strerror}): remove it or free the disk."
        ) from error


def _new_secret(path: Path) -> bytes:
    secret = secrets.token_bytes(_BYTES)
    handle = os.open(path, os.O_WRONLY | BINARY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(secret)
    return secret

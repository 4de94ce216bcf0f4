"""Who may use the page: a token in the printed address, traded for a cookie.

Cookies are shared among all ports of a host, and on a shared machine another user may hold a port. So the page
lives under a path nobody can guess and its cookie is bound to that path: a browser lured to a stranger's port
sends it nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

from captcha_lab.errors import CaptchaLabError

COOKIE = "captcha_lab_review"
SECRET_NAME = "review-secret"
_BYTES = 32


@dataclass(frozen=True)
class Access:
    """The three words of one server: path, cookie and token. Compare with `hmac.compare_digest` only."""

    room: str  # path segment the page lives under
    cookie: str  # value of the cookie
    token: str  # in the printed address; new at every start

    @classmethod
    def of_secret(cls, secret: bytes) -> Access:
        """Room and cookie follow from the secret, so that an open page survives a restarted server."""
        return cls(_derive(secret, "room")[:22], _derive(secret, "cookie"), secrets.token_urlsafe(24))

    def admits_token(self, token: str) -> bool:
        """Whether the address held the right token."""
        return hmac.compare_digest(token.encode(), self.token.encode())

    def admits_cookie(self, value: str) -> bool:
        """Whether the request's cookie is ours."""
        return hmac.compare_digest(value.encode(), self.cookie.encode())

    def set_cookie(self) -> str:
        """The Set-Cookie header."""
        return f"{COOKIE}={self.cookie}; Path=/{self.room}; HttpOnly; SameSite=Strict"


def _derive(secret: bytes, what: str) -> str:
    return hmac.new(secret, f"captcha-lab review {what}".encode(), hashlib.sha256).hexdigest()


def load_secret(folder: Path) -> bytes:
    """The dataset's secret, made on first use, readable by its owner alone; made anew if others could read it.

    Raises:
        CaptchaLabError: the disk refuses.
    """
    path = folder / SECRET_NAME
    try:
        with contextlib.suppress(FileNotFoundError):
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
            with os.fdopen(handle, "rb") as file:
                private = not stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077
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
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(secret)
    return secret

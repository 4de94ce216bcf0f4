"""The way to a site: proxies and certificate authorities, only where the user asks for them."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

from requests.utils import get_environ_proxies

from captcha_lab.collect.scrape.config import ScrapeConfig
from captcha_lab.collect.scrape.url import is_loopback
from captcha_lab.errors import UsageError

AUTHORITY_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")


def authorities(config: ScrapeConfig) -> str:
    """The file of certificate authorities to trust: `--ca`, else what the environment names if that was asked for.

    Raises:
        UsageError: the file can't be read, or holds no certificates.
    """
    name, said = config.ca, "--ca"
    if not name and config.environment:
        said = next((v for v in AUTHORITY_VARIABLES if os.environ.get(v)), "")
        name = os.environ.get(said, "") if said else ""
    if not name:
        return ""
    if not Path(name).is_file():
        raise UsageError(f"{said} {name}: there is no such file of certificates.")
    try:
        ssl.create_default_context(cafile=name)
    except (ssl.SSLError, OSError) as error:
        raise UsageError(f"{said} {name} holds no certificates in PEM form ({error}).") from error
    return name


def proxies(config: ScrapeConfig, url: str) -> dict[str, str]:
    """The proxies to reach a URL by, as `requests` takes them; none for this machine itself."""
    if is_loopback(url):
        return {}
    if config.proxy:
        return {"http": config.proxy, "https": config.proxy}
    return dict(get_environ_proxies(url)) if config.environment else {}

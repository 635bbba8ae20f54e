"""Download of a single file over HTTP, with a size limit."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from rumcli.errors import ConfigError

_SCHEMES = ("http", "https")
_SECONDS_OF_SILENCE = 30
_LARGEST = 200 * 10**6
_CHUNK = 2**16


class NotThereError(ConfigError):
    """The server has no file at this URL (HTTP 404 or 410)."""


class _WebRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments: Any) -> urllib.request.Request | None:
        check_scheme(arguments[-1])  # the new URL; urllib also follows redirects to ftp
        return super().redirect_request(*arguments)


def check_scheme(url: str) -> None:
    """Check that a URL uses http or https.

    Args:
        url: URL to check.

    Raises:
        ConfigError: If it has another scheme, or none.
    """
    if url.partition("://")[0].lower() not in _SCHEMES:
        raise ConfigError(f"{url}: expected an address that begins with http:// or https://")


def download(url: str, path: Path) -> None:
    """Download a file.

    Args:
        url: http or https URL; redirects are followed.
        path: File to write.

    Raises:
        NotThereError: If the server has no such file.
        ConfigError: If the download fails, is truncated, or exceeds 200 MB.
    """
    check_scheme(url)
    opener = urllib.request.build_opener(_WebRedirects)
    try:
        # Some servers reject urllib's default User-Agent.
        request = urllib.request.Request(url, headers={"User-Agent": "rumcli"})
        with opener.open(request, timeout=_SECONDS_OF_SILENCE) as response:
            _save(response, url, path)
    except urllib.error.HTTPError as error:
        kind = NotThereError if error.code in (404, 410) else ConfigError
        raise kind(f"can't download {url}: the server says {_one_line(error)}") from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)  # URLError wraps it
        said = getattr(reason, "strerror", None) or reason
        raise ConfigError(f"can't download {url}: {_one_line(said)}") from error


def _save(response: http.client.HTTPResponse, url: str, path: Path) -> None:
    size = 0
    with path.open("wb") as file:
        while chunk := response.read(_CHUNK):
            size += len(chunk)
            if size > _LARGEST:
                raise ConfigError(
                    f"{url} has more than {_LARGEST // 10**6} MB, too much to be what is expected"
                )
            file.write(chunk)
    if response.length:  # bytes missing according to Content-Length; None without that header
        raise ConfigError(f"can't download {url}: it ended {response.length:,} bytes too early")


def _one_line(said: object) -> str:
    return " ".join(str(said).split())[:200]  # most of the text comes from the server

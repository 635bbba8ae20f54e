"""One file from the web, of a size that is bounded."""

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
    """The server has nothing at that address."""


class _WebRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments: Any) -> urllib.request.Request | None:
        check_scheme(arguments[-1])  # of the new address; urllib would go on to ftp too
        return super().redirect_request(*arguments)


def check_scheme(url: str) -> None:
    """Make sure that an address is one of the web.

    Raises:
        ConfigError: If it is another.
    """
    if url.partition("://")[0].lower() not in _SCHEMES:
        raise ConfigError(f"{url}: expected an address that begins with http:// or https://")


def download(url: str, path: Path) -> None:
    """Download a file, whole.

    Args:
        url: http or https; redirections are followed.
        path: Where to put it.

    Raises:
        NotThereError: If the server says that there is none.
        ConfigError: If it can't be had, is cut off, or has more than 200 MB.
    """
    check_scheme(url)
    opener = urllib.request.build_opener(_WebRedirects)
    try:
        # The User-Agent of urllib is refused by some servers.
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
    if response.length:  # what the server said would still come; None if it did not say
        raise ConfigError(f"can't download {url}: it ended {response.length:,} bytes too early")


def _one_line(said: object) -> str:
    return " ".join(str(said).split())[:200]  # much of it is the server's

"""Requests to one host: redirects to others are refused, and everything that can fail is said in one line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import SplitResult, urljoin, urlsplit

import requests
import urllib3

from recframe.console import plain
from recframe.public_data.errors import FetchError, Lost

REDIRECTS = (301, 302, 303, 307, 308)
BUSY = (408, 425, 429, 500, 502, 503, 504)
MOST_REDIRECTS = 5


class Session(requests.Session):
    """A session that leaves redirects alone: requests would read where they lead, and fail on what is no address."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """No redirect is followed here."""


@contextmanager
def answer_of(
    session: Session, address: str, hosts: tuple[str, ...], headers: Mapping[str, str], timeouts: tuple[float, float]
) -> Iterator[requests.Response]:
    """The open answer to a request, with a status of 200, 206 or 416, for the duration of the block.

    Parameters
    ----------
    hosts: other hosts that may be asked if the address redirects there.     timeouts: seconds to connect, and between two arrivals.

    Raises
    ------
    FetchError: if the host refuses, redirects elsewhere, or cannot be reached.
    Lost: if it is busy, or the connection breaks, in the block as well.
    """
    first = urlsplit(address)
    try:
        for _ in range(MOST_REDIRECTS + 1):
            with session.get(address, headers=dict(headers), stream=True, allow_redirects=False, timeout=timeouts) as response:
                if response.status_code not in REDIRECTS:
                    _check_status(response, address)
                    yield response
                    return
                address = _allowed(first, address, response.headers.get("Location", ""), hosts)
        raise FetchError(f"{first.netloc} redirects more than {MOST_REDIRECTS} times, to {plain(address)} in the end: not followed further")
    except (requests.Timeout, urllib3.exceptions.TimeoutError) as error:
        raise Lost(f"{first.netloc} did not answer within {timeouts[0]:g} s, or sent nothing for {timeouts[1]:g} s") from error
    except requests.exceptions.SSLError as error:
        raise FetchError(f"the certificate of {first.netloc} cannot be verified ({_reason(error)}): nothing was downloaded") from error
    except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError, urllib3.exceptions.HTTPError) as error:
        raise Lost(f"the connection to {first.netloc} cannot be made, or broke ({_reason(error)})") from error
    except requests.RequestException as error:
        raise FetchError(f"{plain(address)}: cannot be asked for ({_reason(error)})") from error


def _allowed(first: SplitResult, here: str, location: str, hosts: tuple[str, ...]) -> str:
    """The address that a redirect names, if it may be followed."""
    try:
        address = urljoin(here, location)
        target = urlsplit(address)
    except ValueError:
        raise FetchError(f"{first.netloc} redirects to {plain(location)!r}, which is no address: not followed") from None
    if target.netloc not in (first.netloc, *hosts):
        raise FetchError(f"{first.netloc} redirects to another host, {plain(target.netloc) or 'without a name'}: not followed")
    if target.scheme not in (first.scheme, "https"):
        raise FetchError(f"{first.netloc} redirects from {first.scheme} to {plain(target.scheme)}: not followed")
    return address


def _check_status(response: requests.Response, address: str) -> None:
    status = response.status_code
    host = urlsplit(address).netloc
    if status in (200, 206, 416):
        return
    if status in BUSY:
        raise Lost(f"{host} is busy or out of order (HTTP {status})")
    if status in (404, 410):
        raise FetchError(f"{plain(address)}: there is no such file any more (HTTP {status})")
    if status in (401, 403):
        raise FetchError(f"{plain(address)}: {host} does not give it to everybody (HTTP {status})")
    raise FetchError(f"{plain(address)}: {host} answers HTTP {status} instead of sending it")


def _reason(error: BaseException) -> str:
    """The innermost cause of a library's error, in a few plain words."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    words = plain(str(error.args[-1] if error.args else error), most=120)
    return words or type(error).__name__

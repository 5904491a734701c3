"""Vega-Lite, Vega and vega-embed as one script, to be part of a page: compressed, and kept in the cache, as bundling takes seconds."""

from __future__ import annotations

import base64
import functools
import gzip
import logging
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from recframe.files import usual_cache
from recframe.tracking.atomic import atomic_write

log = logging.getLogger(__name__)


@functools.cache
def packed_script() -> str:
    """The script, compressed by gzip, in base64. It is made once for each version of vl-convert and kept in recframe's cache."""
    path = _cached()
    with suppress(OSError, ValueError):
        text = path.read_text(encoding="ascii")
        # a file that somebody damaged would only leave the page without charts, but it costs nothing to see
        if gzip.decompress(base64.b64decode(text, validate=True)):
            return text
    import vl_convert

    bundle = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    text = base64.b64encode(gzip.compress(bundle.encode(), 9, mtime=0)).decode("ascii")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, text)
    return text


def _cached() -> Path:
    return usual_cache() / "page" / f"vega-{version('vl-convert-python')}.js.gz.b64"

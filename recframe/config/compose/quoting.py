"""Text as a value on a Hydra command line."""

from __future__ import annotations

import re


def quoted_value(text: str) -> str:
    """Text as the value of an override that Hydra reads as this very text.

    Hydra takes backslashes as they are, except before a quote and at the end.
    """
    escaped = re.sub(r"(\\+)('|$)", r"\1\1\2", text).replace("'", "\\'")
    return f"'{escaped}'"

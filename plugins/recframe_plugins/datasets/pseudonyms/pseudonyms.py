"""Pseudonyms: HMAC-SHA256 (RFC 2104) of the ids of users, under a key that is not recorded anywhere."""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from recframe.interfaces import DataError
from recframe_plugins.datasets.pseudonyms.config import PseudonymConfig

__all__ = ["LEAST_BYTES", "pseudonyms_of"]

LEAST_BYTES = 16
# 128 bits: among a billion users, two with one pseudonym are as good as impossible
HEX_DIGITS = 32


def pseudonyms_of(config: PseudonymConfig) -> Callable[[Sequence[str]], list[str]]:
    """A function from ids to what stands for them: pseudonyms of 32 hexadecimal digits, or the ids if none are wanted.

    The key is read here, so that a mistake in it is reported before the data is read.

    Raises
    ------
    DataError: there is no key, or it is shorter than `LEAST_BYTES`. The message does not show it.
    """
    if not config.pseudonymise:
        return list
    key = key_of(config)

    def pseudonyms(ids: Sequence[str]) -> list[str]:
        return [hmac.digest(key, one.encode(), "sha256").hex()[:HEX_DIGITS] for one in ids]

    return pseudonyms


def key_of(config: PseudonymConfig) -> bytes:
    """The key, without the line end that an editor adds."""
    if config.pseudonym_key_file is not None:
        where = f"dataset.pseudonym_key_file={config.pseudonym_key_file}"
        try:
            key = Path(config.pseudonym_key_file).expanduser().read_bytes()
        except OSError as error:
            raise DataError(f"{where}: cannot be read ({error.strerror}), expected a file with the key") from None
    elif config.pseudonym_key_variable is not None:
        # the name is not repeated: it may be the key itself, given by mistake
        where = "dataset.pseudonym_key_variable"
        found = os.environ.get(config.pseudonym_key_variable)
        if found is None:
            raise DataError(f"{where}: no environment variable of the given name is set; give the name of a variable, not the key itself")
        key = found.encode(errors="surrogateescape")
    else:
        raise DataError("dataset.pseudonymise=true needs a key from dataset.pseudonym_key_variable or dataset.pseudonym_key_file")
    key = key.rstrip(b"\r\n")
    if len(key) < LEAST_BYTES:
        raise DataError(
            f"{where}: the key has {len(key)} byte(s), expected at least {LEAST_BYTES}: ids can be guessed under a short key "
            "(openssl rand -hex 32 makes a good one)"
        )
    return key

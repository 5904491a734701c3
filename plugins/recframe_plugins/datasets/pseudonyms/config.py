"""The options of datasets that can replace the ids of users. Imports no torch."""

from collections.abc import Iterator
from dataclasses import dataclass

from recframe.components import option


@dataclass
class PseudonymConfig:
    """Whether, and with which key, the ids of users are replaced by pseudonyms. The key itself is never recorded."""

    pseudonymise: bool = option(
        False,
        "replace the ids of users by keyed hashes (HMAC-SHA256) before anything else sees them; the same key gives the same pseudonyms",
    )
    pseudonym_key_variable: str | None = option(
        None, "environment variable that holds the key, at least 16 bytes, best random ones", variable=True
    )
    pseudonym_key_file: str | None = option(None, "file that holds the key, at least 16 bytes, best random ones", exists=True)

    def contradictions(self) -> Iterator[str]:
        """Exactly one key is given if ids are replaced, and none otherwise."""
        given = [name for name in ("pseudonym_key_variable", "pseudonym_key_file") if getattr(self, name) is not None]
        if self.pseudonymise and len(given) != 1:
            found = "both are given" if given else "neither is given"
            yield (
                "dataset.pseudonymise=true needs a key from either dataset.pseudonym_key_variable or dataset.pseudonym_key_file, "
                f"but {found}"
            )
        elif given and not self.pseudonymise:
            yield f"dataset.{given[0]} is given, but dataset.pseudonymise is false, so ids would be kept; set dataset.pseudonymise=true"

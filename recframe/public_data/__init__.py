"""Public data sets: where they are published, under which terms, and their download into files that a dataset reads."""

from recframe.public_data.errors import FetchError
from recframe.public_data.fetch import Fetched, fetch
from recframe.public_data.public_set import Checksum, Licence, PublicFile, PublicSet, SetFile, Unpacking
from recframe.public_data.sets import find_set, public_sets

__all__ = [
    "Checksum",
    "FetchError",
    "Fetched",
    "Licence",
    "PublicFile",
    "PublicSet",
    "SetFile",
    "Unpacking",
    "fetch",
    "find_set",
    "public_sets",
]

"""One line for an exception of Hydra, OmegaConf or the YAML parser."""

from __future__ import annotations

import yaml
from hydra.errors import MissingConfigException
from omegaconf.errors import OmegaConfBaseException

from recframe.config.problems import in_our_words
from recframe.plugin_loader import suggestion


def error_line(error: BaseException) -> str:
    """The problem in one line, with the key, or with the file and the line."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"{error.problem_mark.name}, line {error.problem_mark.line + 1}: not YAML: {error.problem}"
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        wanted = str(error.missing_cfg_file).removesuffix(".yaml")
        options = [str(option).rpartition("/")[2] for option in error.options or []]
        return f"no config {wanted!r} was found{suggestion(wanted.rpartition('/')[2], options) if options else ''}"
    if isinstance(error, RecursionError):
        return "configs name each other in their defaults lists without end; look at the files of your own"
    cause = error.__cause__ if isinstance(error.__cause__, OmegaConfBaseException) else error
    key = getattr(cause, "full_key", None)
    if "is not a subclass of LabelConfig" in str(cause):
        return f"labels.{key}: write your own labels into a file, such as conf/labels/{key}.yaml, and choose them with labels=[{key}]"
    if "${tracker_for:${environment}}" in str(cause):
        return "environment: a choice is required, and ~environment leaves none"
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    # a heading ends in a colon, and the next line says what it is about
    message = in_our_words(" ".join(lines[:2] if lines and lines[0].endswith(":") else lines[:1]) or type(cause).__name__, str(key))
    return f"{key}: {message}" if key and str(key) not in message else message

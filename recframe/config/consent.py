"""What a person allows a config that may be somebody else's: that of a run's folder, or of an artefact."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from recframe.config.runs_code import code_settings
from recframe.config.sent_variables import unallowed

WORDS = {
    "command": ("--trust-remote-code", "--send-variable {}"),
    "resume": ("trust_remote_code=true", "send_variable={}"),
    "python": ("trust_remote_code=True", "send_variable='{}'"),
}
"""How code, and the sending of a variable, are allowed by an option, next to `resume=`, and by an argument in Python."""


@dataclass(frozen=True)
class Consent:
    """What is allowed, and how a person would allow more.

    trust_remote_code: to run the code that comes with a model.
    send_variable: to send the values of environment variables, such as a key of an API: `VARIABLE=ADDRESS`, or several with commas between.
    by: where the consent comes from, for messages.
    """

    trust_remote_code: bool = False
    send_variable: str | None = None
    by: Literal["command", "resume", "python"] = "command"

    def problems(self, values: Any) -> list[str]:
        """One line for each setting that needs consent and has none. `values`: of the config, plain, interpolations not filled in."""
        trust, send = WORDS[self.by]
        running = [] if self.trust_remote_code else code_settings(values)
        lines = [f"{key} runs code that comes with a model: read it, and allow it with {trust}" for key in running]
        return lines + unallowed(values, self.send_variable, send)

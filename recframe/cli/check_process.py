"""The process in which `recframe plugins check` loads a plugin: `python -m recframe.cli.check_process DISTRIBUTION FILE`.

The findings are written into the file, also those before an error that ends the process.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from recframe.cli.main import app
from recframe.cli.plugin_commands import add_plugin_commands
from recframe.plugin_kit.checks import distribution_findings
from recframe.plugin_loader import registry


def write_findings(distribution: str, output: Path) -> None:
    """Write every finding about a distribution as JSON."""
    add_plugin_commands(app)  # commands that are left out are among the registry's failures then
    found = []
    for finding in distribution_findings(distribution, registry()):
        found.append(finding.as_json())
        output.write_text(json.dumps(found), "utf-8")


if __name__ == "__main__":
    write_findings(sys.argv[1], Path(sys.argv[2]))

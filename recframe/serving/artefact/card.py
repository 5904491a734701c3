"""The model card of an artefact, README.md: what the policy is, how it was measured, and how it is used."""

from __future__ import annotations

import json

from recframe.evaluation.table import results_markdown
from recframe.serving.artefact.manifest import Manifest
from recframe.serving.run_policy import RunPolicy
from recframe.tracking import read_result
from recframe.tracking.result import ResultError

CARD = "README.md"


def model_card(manifest: Manifest, loaded: RunPolicy) -> str:
    """The text of the card, with the results of the run."""
    agent = manifest.sections["agent"]["name"]
    front = ["---", "library_name: recframe", "tags: [recommendation, reinforcement-learning]", "---", ""]
    lines = [*front, f"# A recommender: {agent}", "", *_about(manifest), "", *_results(loaded), *_use(manifest)]
    return "\n".join(lines) + "\n"


def _about(manifest: Manifest) -> list[str]:
    sections, sizes = manifest.sections, manifest.sizes
    people = f"- **People:** the ids of {sizes['users']:,} users" if sizes["users"] else "- **People:** nobody is in it"
    origins = {f"{one['distribution']} {one['version']}" for one in manifest.origins.values()}
    return [
        f"- **Policy:** `agent={sections['agent']['name']}`, `state_tracker={sections['state_tracker']['name']}`, "
        f"`encoder={sections['encoder']['name']}`",
        f"- **Items:** {sizes['items']:,}",
        f"{people}, and the vectors of their profiles if they have any." if sizes["users"] else f"{people}.",
        f"- **Version:** `{manifest.version}`, exported {manifest.created}",
        f"- **Needs:** {', '.join(sorted(origins))}",
    ]


def _results(loaded: RunPolicy) -> list[str]:
    """The table of the run, if it is finished."""
    try:
        result = read_result(loaded.policy.folder)
    except ResultError:
        return ["The run was not finished: there are no results.", ""]
    caveats = [f"**Note: {caveat}**\n" for caveat in result.get("caveats", ())]
    return ["## Results", "", *caveats, results_markdown(result["policies"], result.get("evaluation")), ""]


def _use(manifest: Manifest) -> list[str]:
    settings = json.dumps({key: value for key, value in manifest.sections["agent"].items() if key != "name"}, indent=2, default=str)
    return [
        "## Use",
        "",
        "    recframe recommend FOLDER --history ITEM --history ITEM -k 10",
        "",
        "```python",
        "import recframe",
        "",
        'policy = recframe.load_policy("FOLDER")',
        "policy.recommend(history=[...], k=10)",
        "```",
        "",
        "The folder holds data only: JSON, Parquet and safetensors, with checksums in `artefact.json`.",
        "",
        "## Settings of the agent",
        "",
        "```json",
        settings,
        "```",
    ]

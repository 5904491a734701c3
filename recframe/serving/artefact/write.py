"""`recframe export`: the policy of a run as an artefact."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from recframe import __version__
from recframe.config import recorded
from recframe.files import file_sha256
from recframe.serving.artefact.card import CARD, model_card
from recframe.serving.artefact.manifest import MANIFEST, SECTIONS, WEIGHTS, Manifest, spec_entry, version_of
from recframe.serving.artefact.new_folder import appearing_folder, require_new
from recframe.serving.artefact.onnx import ONNX, require_onnx, write_onnx
from recframe.serving.artefact.tables import PolicyData, write_tables
from recframe.serving.run_policy import RunPolicy, policy_of_run
from recframe.tracking.provenance import provenance
from recframe.tracking.weights import save_weights


def export(
    run: str | Path,
    folder: str | Path,
    *,
    onnx: bool = False,
    other_data: bool = False,
    trust_remote_code: bool = False,
    other_config: bool = False,
    send_variable: str | None = None,
) -> Manifest:
    """Write the trained policy of a run into a new folder, which needs neither the run nor its data.

    Parameters
    ----------
    run: the folder of a run.   folder: must not exist, or be empty.
    onnx: also write `policy.onnx`, the scoring part of the policy, checked against torch.
    other_data, trust_remote_code, other_config, send_variable: as for `recframe.load_policy`.

    Raises
    ------
    recframe.errors.UserError: the run's policy cannot be loaded, it has no part that ONNX can express, or the folder cannot be written.
    """
    folder = Path(folder).expanduser()
    require_new(folder)
    if onnx:
        require_onnx()
    accepted = {"other_data": other_data, "trust_remote_code": trust_remote_code, "other_config": other_config}
    loaded = policy_of_run(Path(run).expanduser(), "recframe export", send_variable=send_variable, **accepted)
    with appearing_folder(folder) as temporary:
        return _write(temporary, loaded, onnx)


def _write(folder: Path, loaded: RunPolicy, onnx: bool) -> Manifest:
    policy, cfg = loaded.policy, loaded.cfg
    spec = policy.agent.spec
    data = policy.data._replace(interactions=None, ratings=None, held_out=None)
    data = data if spec.has_users else data._replace(users=None)
    data = data if spec.has_context else data._replace(contexts=None)
    names = write_tables(folder, PolicyData(data, loaded.reduction, loaded.tuned, loaded.learned_from))
    save_weights(policy.agent, folder / WEIGHTS)
    settings: dict[str, Any] = recorded(cfg)
    origins = provenance(cfg)["components"]
    deciding: dict[str, Any] = {
        "sections": {kind.value: settings[kind.value] for kind in SECTIONS},
        "spec": spec_entry(spec),
        "ranks": policy.ranks,
        "excludes_history": policy.excludes_history,
        "seed": int(cfg.seed),
        "new_texts": policy.new_texts.refused,
    }
    files = {name: file_sha256(folder / name) for name in (*names, WEIGHTS)}
    version = version_of(deciding, files)
    scoring = write_onnx(folder, policy.agent, policy.data, loaded.tuned, policy.name) if onnx else {}
    if onnx:
        # not in the version: it decides nothing that the weights do not
        files[ONNX] = file_sha256(folder / ONNX)
    manifest = Manifest(
        version=version,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        versions={"recframe": __version__, "torch": torch.__version__},
        origins={kind.value: origins[kind.value] for kind in SECTIONS},
        sizes={
            "items": len(data.catalog),
            "users": 0 if data.users is None else len(data.users),
            "contexts": 0 if data.contexts is None else len(data.contexts.texts),
        },
        files=files,
        onnx=scoring,
        **deciding,
    )
    (folder / CARD).write_text(model_card(manifest, loaded), encoding="utf-8")
    (folder / MANIFEST).write_text(manifest.text(), encoding="utf-8")
    return manifest

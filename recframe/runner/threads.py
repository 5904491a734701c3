"""The number of threads of a run: `trainer.threads`.

More threads than free cores make a run many times slower, and at the usual sizes a second thread makes it no faster. So `auto` is one
thread, and a fair share of the cores only where steps are large.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import torch
from omegaconf import DictConfig
from threadpoolctl import threadpool_info, threadpool_limits

from recframe.cores import OPENMP, available_cores, number_in
from recframe.sweeps.side_by_side import threads_by_person
from recframe.tracking import MachineRecord

log = logging.getLogger(__name__)

AUTO = "auto"
LARGE_STEP = 2**22
"""Scores of a step, users times items, from which more than one thread is worth it."""


@dataclass(frozen=True)
class Threads:
    """The threads of a run.

    texts: while data is loaded and texts are encoded, by a language model where it has one.   small: from then on.
    large: instead of `small`, where a step scores `LARGE_STEP` items or more, or a language model is tuned.
    """

    texts: int
    small: int
    large: int

    def training(self, cfg: DictConfig, num_items: int) -> int:
        """The number for training and evaluation in a catalogue of `num_items`."""
        tunes = cfg.encoder.get("tuning", "frozen") != "frozen"
        return self.large if tunes or cfg.environment.num_users * num_items >= LARGE_STEP else self.small


def threads_of(cfg: DictConfig, record: MachineRecord, side_by_side: int = 1) -> Threads:
    """The threads of a run: those of its record, or `trainer.threads`, or OMP_NUM_THREADS if a person set it, or else a choice.

    Parameters
    ----------
    record: of the run's folder.   side_by_side: the runs that share the cores of this machine.
    """
    if (recorded := record.read()) is not None:
        if (cores := available_cores()) < recorded.threads:
            log.info("the run had %d threads: as many are used for the same numbers, although there are %d cores", recorded.threads, cores)
        return Threads(recorded.text_threads, recorded.threads, recorded.threads)
    wanted = threads_by_person() if cfg.trainer.threads == AUTO else int(cfg.trainer.threads)
    if wanted is not None:
        return Threads(wanted, wanted, wanted)
    share = max(available_cores() // side_by_side, 1)
    # here only a launcher can have set it
    if (given := number_in(OPENMP)) is not None:
        share = min(share, given)
    # texts are encoded in one process, whatever the number of those that train
    return Threads(texts=share, small=1, large=max(share // cfg.trainer.devices, 1))


class RunThreads:
    """Sets the threads of this process for a run, and puts them back at the end of a `with` block.

    Parameters
    ----------
    folder: the run's, for its record.   side_by_side: the runs that share the cores of this machine.
    """

    def __init__(self, cfg: DictConfig, folder: Path, side_by_side: int = 1) -> None:
        self.cfg = cfg
        self.record = MachineRecord(folder)
        self.chosen = threads_of(cfg, self.record, side_by_side)
        self.number = self.chosen.texts

    def __enter__(self) -> RunThreads:
        """Use the number for loading data and encoding texts."""
        self._before, self._libraries = torch.get_num_threads(), threadpool_info()
        set_threads(self.number)
        return self

    def __exit__(self, *raised: object) -> None:
        threadpool_limits(limits=self._libraries)
        torch.set_num_threads(self._before)

    def start_training(self, num_items: int, record: bool = True) -> None:
        """Use, and with `record` write down, the number for training and evaluation in a catalogue of `num_items`."""
        self.number = self.chosen.training(self.cfg, num_items)
        set_threads(self.number)
        if record:
            self.record.write(self.number, self.chosen.texts)


def set_threads(number: int) -> None:
    """Use so many threads in PyTorch, and in every library of numerics that is loaded."""
    threadpool_limits(limits=number)
    torch.set_num_threads(number)

"""The study that a search works on: the one of its name, or another that follows it because its seeds or values have changed.

No trial of Optuna's changes after it has ended, and no choice is added to a setting within a study. So other seeds or values make a new
study, which takes over the trials of the one before, with their numbers.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from itertools import count
from typing import TYPE_CHECKING, Any

import optuna
from optuna.exceptions import DuplicatedStudyError, StorageInternalError
from optuna.trial import TrialState

from recframe.config import ConfigError
from recframe.config.schema.search import OptunaSweeperConfig
from recframe.errors import UserError
from recframe.sweeps.optuna.attributes import FOLLOWED_BY, FOLLOWS, MADE_BY, SEARCH, SWEEP
from recframe.sweeps.optuna.carrying import Carrying
from recframe.sweeps.optuna.differences import INSTEAD, changed_settings, differences
from recframe.sweeps.optuna.space import Space
from recframe.sweeps.optuna.study import create_study, open_storage
from recframe.sweeps.optuna.workers import CREATION_SECONDS, Workers

if TYPE_CHECKING:
    from recframe.sweeps.optuna.search import Objectives

log = logging.getLogger(__name__)


class Continuation:
    """A search and the studies that it has in its database.

    Parameters
    ----------
    space: what is to be searched.   workers: this process among those of the folder; it holds the study's lock.
    """

    def __init__(self, settings: OptunaSweeperConfig, space: Space, objectives: Objectives, workers: Workers) -> None:
        self.settings, self.space, self.objectives, self.workers = settings, space, objectives, workers
        self.name = settings.study_name or ""
        self.shared = settings.storage is not None
        self.storage = open_storage(settings.storage, workers.folder)

    def opened(self, may_change: Collection[str] | None, note_change: Callable[[], object]) -> tuple[optuna.Study, Space]:
        """The study to work on, and what is searched in it.

        Parameters
        ----------
        may_change: the settings of which a study may get other values, without "+", and `seed`; None: all.
        note_change: writes down the command by which the study is now what it is.

        Raises
        ------
        ConfigError: the study is another search, whose trials cannot be taken over.
        UserError: the database fails, or others work on the study.
        """
        try:
            self.name = self.name or self._first_here() or self.workers.folder.name
            study = self._last()
            searched = study.user_attrs.get(SEARCH)
            if searched is None:
                study.set_user_attr(SEARCH, self._described)
                return study, self.space
            if searched["seeds"]:
                self.space = self.space.with_fixed_seed_as_only_one()
            if searched != self._described:
                self._check(study, searched, may_change)
                study = self._changed(study, searched, note_change)
            if self.shared:
                # with the command of before, this folder would change the study back; and what it has asked for once is no change later
                note_change()
            return study, self.space
        except StorageInternalError as error:
            raise UserError(f"hydra.sweeper.storage: the database fails: {' '.join(str(error).split())}") from error

    def _first_here(self) -> str | None:
        """The first study in the folder's own database: the folder may have had another name then."""
        studies = [] if self.shared else self.storage.get_all_studies()
        return min(studies, key=lambda one: one._study_id).study_name if studies else None

    @property
    def _described(self) -> dict[str, Any]:
        own = {"objectives": list(self.objectives.names), "directions": list(self.objectives.directions)}
        plain: dict[str, Any] = json.loads(json.dumps({**self.space.described(), **own}))
        return plain

    def _last(self) -> optuna.Study:
        """The last study that has all trials of the one before it."""
        study = create_study(self.storage, self.name, self.objectives.directions, self.settings)
        while follower := study.user_attrs.get(FOLLOWED_BY):
            known = follower["study"] in optuna.get_all_study_names(self.storage)
            after = optuna.load_study(study_name=follower["study"], storage=self.storage) if known else None
            if after is not None and after.user_attrs.get(FOLLOWS) == study.study_name and SEARCH in after.user_attrs:
                study = create_study(self.storage, after.study_name, self.objectives.directions, self.settings)
                continue
            self._undo(study, follower, after)
        return study

    def _undo(self, study: optuna.Study, follower: Mapping[str, str], after: optuna.Study | None) -> None:
        """Remove a study that was not finished: the process that began it died. In this folder, it would hold the lock."""
        own = after is not None and after.user_attrs.get(FOLLOWS) == study.study_name
        maker = after.user_attrs.get(MADE_BY, follower) if after is not None and own else follower
        age = (datetime.now() - datetime.fromisoformat(maker["since"])).total_seconds()
        if maker["sweep"] != self.workers.sweep and age < CREATION_SECONDS:
            raise self._changed_elsewhere(study, maker)
        # a study of that name that follows none is somebody else's
        if own:
            optuna.delete_study(study_name=follower["study"], storage=self.storage)
        study.set_user_attr(FOLLOWED_BY, None)

    def _check(self, study: optuna.Study, searched: Mapping[str, Any], may_change: Collection[str] | None) -> None:
        name = study.study_name
        problems = differences(name, searched, self._described)
        if not problems:
            missing = self._carrying(searched).missing_values(study.get_trials(deepcopy=False))
            problems = [
                f"{key}: trial {trial.number} of the study {name!r} has {value}, which is no longer among the values; include it, {INSTEAD}"
                for key, (trial, value) in missing.items()
            ]
        if problems:
            raise ConfigError(problems)
        changed = changed_settings(searched, self._described)
        if may_change is not None and (more := [key for key in changed if key not in may_change]):
            raise UserError(
                f"the study {name!r} has other seeds or values ({', '.join(more)}), and other folders may work on it; repeat them, or "
                f"change them with sweep.resume={self.workers.sweep} and what is to be changed"
            )
        if self.workers.others():
            raise UserError(
                f"{self.workers.sweep}: another process works on this search with other seeds or values; wait for it, or stop it, and then "
                "start again"
            )

    def _changed(self, study: optuna.Study, searched: Mapping[str, Any], note_change: Callable[[], object]) -> optuna.Study:
        """The study that follows, with all trials."""
        self._refuse_running(study)
        after, announced = self._made(study)
        try:
            # again: others that begin a trial look for the announcement after that
            self._refuse_running(study)
        except UserError:
            optuna.delete_study(study_name=after.study_name, storage=self.storage)
            if study.user_attrs.get(FOLLOWED_BY) == announced:
                study.set_user_attr(FOLLOWED_BY, None)
            raise
        if not self.shared:
            # what follows is done again at the next start, if this process dies
            note_change()
        trials = self._carrying(searched).carried(study.get_trials(deepcopy=False))
        for trial in trials:
            after.add_trial(trial)
        # another folder may have taken this process for dead
        told = study.user_attrs.get(FOLLOWED_BY) or {"study": None}
        if told["study"] != after.study_name or after.user_attrs.get(MADE_BY) != announced:
            raise self._changed_elsewhere(study, told)
        after.set_user_attr(SEARCH, self._described)
        begun = sum(trial.state is TrialState.WAITING for trial in trials)
        log.info("the study %s follows %s: %d trials, of which %d go on", after.study_name, study.study_name, len(trials), begun)
        return after

    def _made(self, study: optuna.Study) -> tuple[optuna.Study, dict[str, str]]:
        """The study that follows, without trials, and what the study before says of it.

        Of several processes that change the study at the same time, all choose the same name, and one can create a study of that name.
        """
        taken = set(optuna.get_all_study_names(self.storage))
        numbered = re.fullmatch(r"(.+) \((\d+)\)", study.study_name)
        stem, last = (numbered[1], int(numbered[2])) if numbered else (study.study_name, 1)
        name = next(one for number in count(last + 1) if (one := f"{stem} ({number})") not in taken)
        # after the names were read: who has created one since then has told so before
        if told := study.user_attrs.get(FOLLOWED_BY):
            raise self._changed_elsewhere(study, told)
        announced = {"study": name, "sweep": self.workers.sweep, "worker": self.workers.name, "since": datetime.now().isoformat()}
        study.set_user_attr(FOLLOWED_BY, announced)
        try:
            after = create_study(self.storage, name, self.objectives.directions, self.settings, must_be_new=True)
        except DuplicatedStudyError:
            # its maker, too, has announced that name
            after = optuna.load_study(study_name=name, storage=self.storage)
            raise self._changed_elsewhere(study, after.user_attrs.get(MADE_BY)) from None
        after.set_user_attr(MADE_BY, announced)
        after.set_user_attr(FOLLOWS, study.study_name)
        # once more, for it may have been taken back by one that began at the same time
        study.set_user_attr(FOLLOWED_BY, announced)
        return after, announced

    def _refuse_running(self, study: optuna.Study) -> None:
        running = study.get_trials(deepcopy=False, states=[TrialState.RUNNING])
        alive = [trial for trial in running if not self.workers.has_left(trial, self.shared)]
        if alive:
            raise UserError(
                f"trial {alive[0].number} of the study {study.study_name!r} runs in another folder, {alive[0].user_attrs.get(SWEEP)}; wait "
                "until it has ended, or end it there with sweep.resume="
            )

    def _changed_elsewhere(self, study: optuna.Study, maker: Mapping[str, Any] | None) -> UserError:
        where = (maker or {}).get("sweep", "another folder")
        return UserError(
            f"the seeds or values of the study {study.study_name!r} are just being changed from {where}; wait for it, or, if its process "
            f"died, {CREATION_SECONDS // 60} minutes"
        )

    def _carrying(self, searched: Mapping[str, Any]) -> Carrying:
        sweep = None if self.shared else self.workers.folder
        return Carrying(self.space, searched, given_up=self.settings.hopeless is not None, sweep=sweep)

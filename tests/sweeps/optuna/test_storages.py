"""The studies of searches in other storages than SQLite: a journal, and PostgreSQL."""

import pytest
from omegaconf import DictConfig

from recframe.errors import UserError
from recframe.sweeps.optuna import study
from tests.postgres_server import postgres

__all__ = ["postgres"]

SPACE = ["agent=a,b", "agent.rate=tag(log,interval(1e-4,1))", "agent.clip=interval(0.1,0.3)"]


def near(cfg: DictConfig) -> float:
    """Largest for a rate of 0.1."""
    return -abs(cfg.agent.rate - 0.1)


class Killed(BaseException):
    """The end of the process, as far as the sweeper can notice it."""


@pytest.fixture(params=["journal", "postgresql"])
def storage(request, tmp_path):
    """The address of a new storage, of each kind."""
    if request.param == "journal":
        return f"journal:{tmp_path}/study.log"
    return request.getfixturevalue("postgres").new_database()


def test_a_search_in_another_storage_has_the_trials_of_one_in_sqlite_and_goes_on_after_a_kill(toy, tmp_path, storage):
    own = {"startup_trials": 3, "n_trials": 6, "hopeless": None}
    started = []

    def killed(cfg: DictConfig) -> float:
        started.append(cfg)
        if len(started) == 4:
            raise Killed
        return near(cfg)

    expected = type(toy)(tmp_path / "sqlite" / "sweep")(*SPACE, objective=near, **own)
    with pytest.raises(Killed):
        toy(*SPACE, objective=killed, storage=storage, **own)
    found = toy(*SPACE, objective=killed, storage=storage, **own)
    assert found["trials"] == expected["trials"]
    assert found["best"] == expected["best"]
    # the job that was stopped was started again in its own folder
    assert toy.calls == ["0", "1", "2", "3", "3", "4", "5"]
    assert not (toy.sweep / study.DATABASE).exists()
    # more trials, of a process that knows nothing but the storage and the folder
    assert toy(*SPACE, objective=near, storage=storage, **(own | {"n_trials": 7}))["trials"][:6] == expected["trials"]


def test_two_folders_work_on_one_study(toy, tmp_path, storage):
    """As machines without a common folder do."""
    other = type(toy)(tmp_path / "other" / "sweep")
    shared = {"storage": storage, "study_name": "shared", "sampler": "random"}
    first = toy(*SPACE, objective=near, n_trials=3, **shared)
    both = other(*SPACE, objective=near, n_trials=5, **shared)
    assert len(both["trials"]) == 5
    assert [trial["settings"] for trial in both["trials"][:3]] == [trial["settings"] for trial in first["trials"]]
    assert len(other.calls) == 2


def test_a_database_that_is_not_there_is_one_line_without_its_password(postgres, tmp_path):
    address = postgres.new_database().replace("tester@", "tester:secret@") + "x"
    with pytest.raises(UserError, match=r"^hydra.sweeper.storage: the database cannot be opened \(.*does not exist") as refused:
        study.open_storage(address, tmp_path)
    assert "secret" not in str(refused.value)
    assert "\n" not in str(refused.value)

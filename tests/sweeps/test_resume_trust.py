"""What sweep.json may not decide: it can come from somebody else, and its overrides are used when a sweep is resumed."""

import shlex

import pytest

from recframe.cli.sweep import plan_of_sweep
from recframe.config.compose.options import parse_options
from recframe.config.compose.trust import single_values
from recframe.config.problems import ConfigError
from recframe.reports.planned import planned_jobs
from recframe.sweeps.sweep_file import SweepFile, SweepFolderError, SweepJob
from recframe.tracking.resume_command import resume_command


def resumed(folder, *more: str):
    arguments = ["-m", f"sweep.resume={folder}", *more]
    return plan_of_sweep(arguments, parse_options(arguments, "train")[0])


@pytest.mark.parametrize(
    "override",
    [
        "encoder.trust_remote_code=true",
        "encoder.trust_remote_code=false,true",
        "+hydra.callbacks.mine._target_=os.system",
        "hydra/callbacks=mine",
        "hydra.launcher._target_=os.system",
        "agent@hydra.callbacks.mine=dqn",
        "+hydra.launcher.setup=[evil]",
        "hydra.launcher.additional_parameters.wrap=evil",
        "+hydra.launcher.srun_args=[evil]",
        "+hydra.launcher.ray.init.runtime_env={pip: [evil]}",
        "hydra.launcher.ray.init.address=10.0.0.1:6379",
        "hydra.launcher={setup: [evil]}",
        "hydra/launcher@hydra.callbacks.mine=ray",
        "hydra.job.env_set.LD_PRELOAD=evil",
    ],
)
@pytest.mark.parametrize("of_a_job", [False, True])
def test_a_recorded_override_that_runs_code_has_to_be_repeated(tmp_path, override, of_a_job):
    jobs = (SweepJob(0, "0", (override,)),) if of_a_job else ()
    SweepFile(("seed=0,1",) if of_a_job else ("seed=0,1", override), jobs=jobs).write(tmp_path)
    with pytest.raises(ConfigError, match=r"sweep.json: .* would run code, which no file may decide; to allow it, repeat it"):
        resumed(tmp_path)
    _, plan = resumed(tmp_path, override)
    assert override in plan.file.command


@pytest.mark.parametrize("address", ["postgresql://user@elsewhere/x", "journal:/home/me/.profile"])
def test_the_database_of_a_search_elsewhere_has_to_be_repeated(tmp_path, address):
    override = f"hydra.sweeper.storage='{address}'"
    SweepFile(("seed=0,1", "hydra/sweeper=optuna", override)).write(tmp_path)
    with pytest.raises(ConfigError, match=r"hydra.sweeper.storage names a database that may be another's.*repeat it on the command line"):
        resumed(tmp_path, "broken=[")
    _, plan = resumed(tmp_path, override)
    assert override in plan.file.command


def test_what_runs_no_code_is_kept(tmp_path):
    command = ("seed=0,1", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "hydra.sweep.dir=old", "agent=dqn")
    SweepFile(command).write(tmp_path)
    arguments, plan = resumed(tmp_path, "seed=0,1,2")
    assert arguments == ["-m", "seed=0,1,2", command[1], command[2], f"hydra.sweep.dir='{tmp_path}'", "agent=dqn"]
    assert plan.resumed


@pytest.mark.parametrize(
    "given",
    [
        ["encoder.trust_remote_code=true"],
        ["encoder.base_url=http://elsewhere/v1,http://there/v1"],
        ["name='${oc.env:HOME}'", "+hydra.launcher.setup=[module load cuda]"],
        ["--config-dir", "{folder}", "hydra.sweeper.storage='postgresql://user@elsewhere/x'"],
    ],
)
def test_the_command_that_a_sweep_prints_is_not_refused(tmp_path, given):
    given = [text.replace("{folder}", str(tmp_path)) for text in given]
    options = parse_options(["-m", *given], "train")[0]
    jobs = [SweepJob(number, str(number), (text,)) for number, text in enumerate(single_values(options.overrides)) if "hydra" not in text]
    file = SweepFile(("seed=0,1", *options.overrides), config_dir=options.config_dir, jobs=tuple(jobs))
    file.write(tmp_path)
    command = resume_command(tmp_path)
    (missing,) = {job.reason for job in planned_jobs(tmp_path, ())} if jobs else {command}
    assert missing.endswith(command)
    words = shlex.split(command)
    assert words[:3] == ["recframe", "train", "-m"]
    assert f"sweep.resume={tmp_path}" in words
    _, plan = plan_of_sweep(words[2:], parse_options(words[2:], "train")[0])
    assert sorted(plan.file.command) == sorted([*file.command, f"hydra.sweep.dir='{tmp_path}'"])
    # what a file may decide is not repeated
    assert "seed" not in command


def test_the_command_that_a_sweep_prints_has_no_password(tmp_path):
    SweepFile(("hydra.sweeper.storage='postgresql://me:secret@elsewhere/x'",)).write(tmp_path)
    assert "'postgresql://***@elsewhere/x'" in shlex.split(resume_command(tmp_path))[-1]


def test_a_sweep_over_a_pattern_of_names_goes_on(tmp_path):
    SweepFile(("agent=glob(*dqn)",)).write(tmp_path)
    _, plan = resumed(tmp_path)
    assert "agent=glob(*dqn)" in plan.file.command


def test_a_folder_of_configs_has_to_be_named_again(tmp_path):
    SweepFile(("seed=0,1",), config_dir="/theirs").write(tmp_path)
    with pytest.raises(SweepFolderError, match="was started with --config-dir /theirs; repeat it"):
        resumed(tmp_path)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "it has no sweep.json, so no sweep was started there"),
        ("{", "not JSON"),
        ('{"schema": 9}', "has schema 9, this recframe reads 1"),
        ('{"schema": 1, "command": []}', "its content is damaged"),
        ("[]", "its content is damaged"),
    ],
)
def test_a_folder_without_a_readable_sweep_is_refused(tmp_path, content, problem):
    if content is not None:
        (tmp_path / "sweep.json").write_text(content)
    with pytest.raises(SweepFolderError, match=problem):
        resumed(tmp_path)

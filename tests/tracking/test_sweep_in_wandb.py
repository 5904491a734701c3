"""In W&B, a sweep is a group and each job one run, also after a resume, and whatever the home folder is."""

import pytest

QUICK = ["debug=smoke", "encoder=tfidf", "state_tracker=mean", "agent=random", "evaluation.references=false", "logger=[csv,wandb]"]


@pytest.mark.parametrize("launcher", [[], ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]], ids=["basic", "joblib"])
def test_a_sweep_is_one_group_with_a_run_for_each_job(warm_recframe, tmp_path, read_offline_runs, launcher):
    sweep = tmp_path / "sweep"

    def recframe(*arguments):
        # below a file that is no folder nothing can be made, whoever the user is
        done = warm_recframe("train", *arguments, HOME="/dev/null", check=True)
        assert "could not be recorded" not in done.stdout + done.stderr
        return done

    def runs():
        found = {}
        for seed in (0, 1):
            (run,) = read_offline_runs(sweep / str(seed))
            assert (run.group, run.config["seed"], run.exit_code) == ("sweep", seed, 0)
            assert "trained" in {row[0] for row in run.table("policies")["data"]}
            found[seed] = run.id
        return found

    recframe("-m", *QUICK, "seed=0,1", f"hydra.sweep.dir={sweep}", *launcher)
    before = runs()
    assert len(set(before.values())) == 2
    # a job that was lost before its result, in a sweep without Hydra's record
    (sweep / "0" / "result.json").unlink()
    (sweep / "multirun.yaml").unlink(missing_ok=True)
    recframe(f"resume={sweep / '0'}")
    assert runs() == before
    again = recframe(*QUICK, "seed=1", f"hydra.run.dir={sweep / '1'}")
    assert "which is finished: its result is used, and nothing is run" in again.stdout
    assert runs() == before

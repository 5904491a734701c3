"""What the TensorBoard logger writes is what TensorBoard reads back, also after a resume."""

import math
import time

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.api_pb2 import Status
from tensorboard.plugins.hparams.metadata import SESSION_END_INFO_TAG
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from recframe.built_in_loggers import TensorBoardLoggerConfig
from recframe.interfaces import FinalResults, RunDescription
from recframe.tracking.tensorboard_run import TensorBoardRunLogger

POLICIES = {
    "trained": {"return": {"mean": 2.0, "low": 1.5, "high": 2.5, "n": 64}, "gini": {"mean": None, "low": None, "high": None, "n": 0}}
}


@pytest.fixture
def logger(tmp_path):
    def make(resume_at=None):
        config = {"seed": 3, "agent": {"name": "dqn", "hidden": [64, 64]}}
        return TensorBoardRunLogger(TensorBoardLoggerConfig(), RunDescription(tmp_path, "dqn seed=3", "sweep-1", config, resume_at))

    return make


def read(folder):
    found = EventAccumulator(str(folder / "tensorboard"))
    found.Reload()
    return found


def points(found, tag):
    return [(event.step, event.value) for event in found.Scalars(tag)]


def text(found, tag):
    return found.Tensors(f"{tag}/text_summary")[-1].tensor_proto.string_val[0].decode()


def test_what_was_logged_before_a_checkpoint_survives_a_kill(logger, tmp_path):
    writing = logger()
    writing.log_metrics({"env_steps": 128, "loss": 0.5})
    writing.save()
    assert points(read(tmp_path), "loss") == [(128, 0.5)]
    writing.close(failed=True)


def test_metrics_results_and_settings_are_recorded(logger, tmp_path):
    writing = logger()
    writing.log_metrics({"env_steps": 128.0, "loss": 0.5, "epoch": 0}, step=7)
    writing.log_metrics({"env_steps": 256.0, "eval/return": 2.5, "loss": math.nan})
    writing.log_results(FinalResults({"final": POLICIES}, {"objective": 2.0, "missing": None}))
    writing.close(failed=False)
    found = read(tmp_path)
    assert points(found, "eval/return") == [(256, 2.5)]
    assert points(found, "loss")[0] == (128, 0.5)
    assert math.isnan(points(found, "loss")[1][1])
    assert points(found, "final/trained/return") == [(256, 2.0)]
    assert points(found, "objective") == [(256, 2.0)]
    assert {"epoch", "missing", "final/trained/gini", "env_steps"} & set(found.Tags()["scalars"]) == set()
    assert "| trained | 2 [1.5, 2.5] | - |" in text(found, "policies/final")
    assert "name: dqn seed=3\nsweep: sweep-1" in text(found, "run")
    assert "hidden:\n  - 64" in text(found, "config")
    start = HParamsPluginData.FromString(found.PluginTagToContent("hparams")["_hparams_/session_start_info"]).session_start_info
    assert start.hparams["agent.name"].string_value == "dqn"
    assert start.hparams["seed"].number_value == 3


@pytest.mark.parametrize(("failed", "status"), [(False, Status.STATUS_SUCCESS), (True, Status.STATUS_FAILURE)])
def test_the_status_of_the_run_is_recorded(logger, tmp_path, failed, status):
    logger().close(failed=failed)
    content = read(tmp_path).PluginTagToContent("hparams")[SESSION_END_INFO_TAG]
    assert HParamsPluginData.FromString(content).session_end_info.status == status


def test_a_resumed_run_has_each_point_once(logger, tmp_path):
    first = logger()
    for step in (10, 20, 30):
        first.log_metrics({"env_steps": step, "loss": float(step)})
    first.close(failed=True)
    # TensorBoard reads files of one second in the order of a number that it takes for text
    time.sleep(1)
    again = logger(resume_at=20)
    for step in (30, 40):
        again.log_metrics({"env_steps": step, "loss": step + 0.5})
    again.close(failed=False)
    found = read(tmp_path)
    assert points(found, "loss") == [(10, 10.0), (20, 20.0), (30, 30.5), (40, 40.5)]
    content = found.PluginTagToContent("hparams")[SESSION_END_INFO_TAG]
    assert HParamsPluginData.FromString(content).session_end_info.status == Status.STATUS_SUCCESS

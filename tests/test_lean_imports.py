"""What a run imports, and that what it leaves out is there, whole, for whoever uses it afterwards."""

import os
import subprocess
import sys
import textwrap

import pytest

HEAVY = (
    "altair",
    "matplotlib",
    # typer imports it to check a `--help` that was not given
    "pydantic",
    "scipy.signal",
    "scipy.stats",
    "sentence_transformers",
    "sklearn",
    "sympy",
    "tensorboard",
    "torch._dynamo.utils",
    "torchmetrics.functional",
    "transformers",
    # the client of endpoints, which configs of components name
    "urllib3",
    "wandb",
)
RUN = """
    import sys
    from recframe.cli.main import main

    sys.argv = ["recframe", *{arguments!r}]
    try:
        main()
    except SystemExit as end:
        assert not end.code
    imported = [name for name in {heavy!r} if name in sys.modules]
    assert not imported, imported
"""
COMPILER = """
    import torch._dynamo.utils
    from torch._dynamo import config as own

    assert own is torch._dynamo.config is sys.modules["torch._dynamo.config"]
    assert own.__spec__.name == "torch._dynamo.config"
    # executed once: another module has the same
    assert torch._dynamo.utils.counters is torch._dynamo.convert_frame.counters
    # what tensordict marked before the compiler was there
    from tensordict.base import _foreach_copy_
    assert "InGraph" in torch._dynamo.trace_rules.lookup_callable(_foreach_copy_).__name__
    network = torch.compile(torch.nn.Linear(2, 2), backend="eager")
    optimizer = torch.optim.Adam(network.parameters())
    optimizer.zero_grad()
    network(torch.ones(1, 2)).sum().backward()
    before = network.weight.clone()
    optimizer.step()
    assert not torch.equal(network.weight, before)
    from pytorch_lightning.utilities.compile import OptimizedModule
    assert isinstance(network, OptimizedModule)
    assert not isinstance(torch.nn.Linear(2, 2), OptimizedModule)
"""
METRICS = """
    import torchmetrics
    from pytorch_lightning.core.module import Metric
    from torchmetrics.text import BLEUScore

    assert torchmetrics.Metric is torchmetrics.metric.Metric is Metric
    assert issubclass(BLEUScore, Metric)
    assert issubclass(torchmetrics.MeanMetric, Metric)
    assert torchmetrics.MeanMetric()(torch.ones(2)) == 1
"""


@pytest.mark.slow
def test_a_run_imports_only_what_it_uses_and_leaves_the_rest_usable(warm_recframe, shared_cache, tmp_path):
    arguments = ["train", "encoder=tfidf", "debug=smoke", "logger=csv"]
    # the texts' vectors are cached
    warm_recframe(*arguments, "evaluation.references=false", check=True)
    script = RUN.format(arguments=[*arguments, "hydra.run.dir=run"], heavy=HEAVY) + COMPILER + METRICS
    environment = {**os.environ, "RECFRAME_CACHE": str(shared_cache)}
    command = [sys.executable, "-c", textwrap.dedent(script)]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr

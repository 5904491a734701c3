"""Writes what TRL's trainers compute from the tensors of `loss_tensors.py` as JSON. Runs in an environment of TRL.

python -m venv trl && trl/bin/pip install trl==1.16.0
trl/bin/python tests/plugins/agents/language_policy/make_trl_reference.py > tests/plugins/agents/language_policy/trl.json

The trainers are real ones of a tiny model. For a loss, their model is replaced by one whose log-probabilities are the given tensors.
"""

from __future__ import annotations

import json
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast
from trl import DPOConfig, DPOTrainer, GRPOConfig, GRPOTrainer

sys.path.insert(0, str(Path(__file__).parent))
from loss_tensors import BETA, CLIP_RANGE, CODES, GROUPS, KL_WEIGHT, PAIRS, SIZE, groups, pairs

WORDS = {word: number for number, word in enumerate(["<pad>", "<end>", "a", "b", "c", "d"])}
COMMON = {"report_to": [], "use_cpu": True, "bf16": False, "disable_tqdm": True}


class GivenLogProbs(torch.nn.Module):
    """A model whose forward gives these log-probabilities, whatever it reads."""

    def __init__(self, log_probs: torch.Tensor) -> None:
        super().__init__()
        self.log_probs = torch.nn.Parameter(log_probs)

    def forward(self, **_: Any) -> SimpleNamespace:
        unused = torch.zeros_like(self.log_probs)  # for the trainers' metrics
        return SimpleNamespace(log_probs=self.log_probs, entropy=unused, mean_logits=unused, is_top1=unused.bool())


def tiny_model_and_tokenizer(folder: str) -> tuple[str, PreTrainedTokenizerFast]:
    """A model saved in the folder, from which the trainers load the policy and the reference, and its tokenizer."""
    tokenizer = Tokenizer(models.WordLevel(WORDS, unk_token="<pad>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    config = GPT2Config(vocab_size=len(WORDS), n_positions=64, n_embd=8, n_layer=1, n_head=1, bos_token_id=1, eos_token_id=1)
    GPT2LMHeadModel(config).save_pretrained(folder)
    return folder, PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<end>")


def dpo(folder: str) -> dict[str, Any]:
    """The DPO loss and its gradient with respect to the log-probabilities of the chosen items."""
    model, tokenizer = tiny_model_and_tokenizer(folder)
    data = Dataset.from_dict({"prompt": ["a b"] * 4, "chosen": [" c"] * 4, "rejected": [" d"] * 4})
    trainer = DPOTrainer(model, args=DPOConfig(folder, beta=BETA, **COMMON), train_dataset=data, processing_class=tokenizer)
    given = {name: torch.from_numpy(values) for name, values in pairs().items()}
    inputs = {
        "input_ids": torch.full((2 * PAIRS, 2), 2),
        "attention_mask": torch.ones(2 * PAIRS, 2, dtype=torch.int64),
        "completion_mask": torch.tensor([0, 1]).expand(2 * PAIRS, 2),
        "ref_chosen_logps": given["reference_chosen"],
        "ref_rejected_logps": given["reference_rejected"],
    }
    trainer.ref_model = GivenLogProbs(torch.cat([given["reference_chosen"], given["reference_rejected"]])[:, None])
    learned = GivenLogProbs(torch.cat([given["chosen"], given["rejected"]])[:, None])
    loss = trainer._compute_loss(learned, inputs, return_outputs=False)
    loss.backward()
    return {"dpo": loss.item(), "dpo_gradient": learned.log_probs.grad[:PAIRS, 0].tolist()}


def grpo(folder: str) -> dict[str, Any]:
    """GRPO's advantages, scaled and not, and its loss and gradient with both means, with and without KL."""
    model, tokenizer = tiny_model_and_tokenizer(folder)
    given = {name: torch.from_numpy(values) for name, values in groups().items()}
    prompts = Dataset.from_dict({"prompt": ["a b"] * GROUPS})
    found: dict[str, Any] = {}
    for scaling in ("group", "none"):
        arguments = GRPOConfig(
            folder, num_generations=SIZE, per_device_train_batch_size=GROUPS * SIZE, max_completion_length=CODES, beta=KL_WEIGHT,
            epsilon=CLIP_RANGE, scale_rewards=scaling, **COMMON,
        )  # fmt: skip
        trainer = GRPOTrainer(
            model,
            reward_funcs=lambda completions, **_: given["rewards"].flatten().tolist(),
            args=arguments,
            train_dataset=prompts,
            processing_class=tokenizer,
        )
        scored = trainer._generate_and_score_completions([{"prompt": "a b"}] * (GROUPS * SIZE))
        found[f"advantages_{scaling}"] = scored["advantages"].tolist()
    inputs = {
        "prompt_ids": torch.full((GROUPS * SIZE, 1), 2),
        "prompt_mask": torch.ones(GROUPS * SIZE, 1, dtype=torch.int64),
        "completion_ids": torch.full((GROUPS * SIZE, CODES), 2),
        "completion_mask": given["mask"].long(),
        "advantages": torch.tensor(found["advantages_none"]),
        "old_per_token_logps": given["old_log_probs"],
        "ref_per_token_logps": given["reference"],
    }
    for mean_over, loss_type in (("sequences", "grpo"), ("codes", "bnpo")):
        for beta in (0.0, KL_WEIGHT):
            trainer.loss_type, trainer.beta = loss_type, beta
            trainer.current_gradient_accumulation_steps = 1
            learned = GivenLogProbs(given["log_probs"])
            loss = trainer._compute_loss(learned, inputs)
            loss.backward()
            found[f"grpo_{mean_over}_{beta:g}"] = loss.item()
            found[f"grpo_{mean_over}_{beta:g}_gradient"] = learned.log_probs.grad.tolist()
    return found


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        found = {"trl": version("trl"), "torch": version("torch"), **dpo(folder), **grpo(folder)}
    print("{\n" + ",\n".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in found.items()) + "\n}")

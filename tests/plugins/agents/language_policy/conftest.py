"""Small language policies, and causal language models with a few thousand random weights."""

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from recframe.item_codes.config import CodesConfig
from recframe.testing import ToyTracker
from recframe.testing.toy import toy_data, toy_spec
from recframe_plugins.agents.language_policy.agent import LanguagePolicy
from recframe_plugins.agents.language_policy.config import LanguagePolicyConfig


@pytest.fixture(scope="session")
def data():
    return toy_data(num_items=12, num_users=20)


@pytest.fixture(scope="session")
def policy(data):
    def build(spec=None, seed: int = 0, noise: float = 0.0, around=None, codes: CodesConfig | None = None, **options) -> LanguagePolicy:
        """A policy over the toy items, by default of three codes of three values; with `noise`, far from uniform."""
        around = data if around is None else around
        spec = toy_spec(around) if spec is None else spec
        torch.manual_seed(seed)
        small = {} if "model" in options else {"width": 16, "layers": 1}
        config = LanguagePolicyConfig(**{"codes": codes or CodesConfig(size=3, levels=2), **small, **options})
        agent = LanguagePolicy(config, spec, ToyTracker(spec, around), seed=seed)
        with torch.no_grad():
            for parameter in agent.parameters():
                parameter.add_(noise * torch.randn_like(parameter))
        return agent

    return build


@pytest.fixture(scope="session")
def causal_model(data, tmp_path_factory):
    """The folder of a random model of an architecture, with a tokenizer of the toy texts."""

    def made(architecture: str, seed: int = 0):
        folder = tmp_path_factory.mktemp(architecture)
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=["<end>"], initial_alphabet=alphabet, show_progress=False)
        tokenizer.train_from_iterator(data.catalog.texts, trainer)
        fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>")
        fast.save_pretrained(folder)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            if architecture == "gpt2":
                sizes = {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 600, "bos_token_id": 0, "eos_token_id": 0}
                model = GPT2LMHeadModel(GPT2Config(vocab_size=len(fast), initializer_range=0.3, **sizes))
            else:
                sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
                config = LlamaConfig(
                    vocab_size=len(fast), max_position_embeddings=600, tie_word_embeddings=True, initializer_range=0.3, **sizes
                )
                model = LlamaForCausalLM(config)
        model.save_pretrained(folder)
        return folder

    made_once = {name: made(name) for name in ("llama", "gpt2")}
    return lambda architecture, seed=0: made(architecture, seed) if seed else made_once[architecture]

"""Language models with a few thousand random weights."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import BertConfig, BertModel, BertTokenizer, GPT2Config, GPT2LMHeadModel, GPT2Model, PreTrainedTokenizerFast

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def tiny_model(folder: Path, texts: list[str], kind: str = "bert", positions: int = 64) -> Path:
    """A random model of two layers, with a tokenizer of the texts' words, saved in `folder`."""
    words = sorted({word for text in texts for word in "".join(c if c.isalnum() else f" {c} " for c in text.lower()).split()})
    folder.mkdir(parents=True)
    (folder / "vocab.txt").write_text("\n".join([*SPECIAL, *words]) + "\n", encoding="utf-8")
    tokenizer = BertTokenizer(str(folder / "vocab.txt"), model_max_length=positions)
    size = len(SPECIAL) + len(words)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        if kind == "bert":
            sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
            model = BertModel(BertConfig(vocab_size=size, max_position_embeddings=positions, initializer_range=0.3, **sizes))
        else:
            sizes = {"n_embd": 16, "n_layer": 2, "n_head": 2, "bos_token_id": 2, "eos_token_id": 3}
            model = GPT2Model(GPT2Config(vocab_size=size, n_positions=positions, initializer_range=0.3, **sizes))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def tiny_gpt(folder: Path, positions: int = 48) -> Path:
    """A GPT-2 with random weights and, like GPT-2, a byte tokenizer without a padding token, saved in `folder`."""
    end = "<|endoftext|>"
    letters = {letter: number for number, letter in enumerate([end, *sorted(pre_tokenizers.ByteLevel.alphabet())])}
    tokenizer = Tokenizer(models.BPE(vocab=letters, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    folder.mkdir(parents=True, exist_ok=True)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=end, eos_token=end, model_max_length=positions).save_pretrained(folder)
    sizes = {"vocab_size": len(letters), "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": positions}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = GPT2Config(**sizes, bos_token_id=0, eos_token_id=0, initializer_range=0.2)
        GPT2LMHeadModel(config).save_pretrained(folder)
    return folder

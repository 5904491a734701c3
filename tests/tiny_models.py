"""Language models with a few thousand random weights."""

from pathlib import Path

import torch
from transformers import BertConfig, BertModel, BertTokenizer, GPT2Config, GPT2Model

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

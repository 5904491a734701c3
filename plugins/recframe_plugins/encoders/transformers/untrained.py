"""Making a small untrained transformer and its tokenizer from texts alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from recframe.interfaces import EncoderError, NewModel

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

END = "<|endoftext|>"  # GPT-2's: it begins a text and ends it
PAD, UNKNOWN, CLS, SEP, MASK = "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"
MIN_FREQUENCY = 2  # a piece that occurs once becomes no token


def untrained_model(new: NewModel, causal: bool, texts: Sequence[str]) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """An untrained GPT-2 (`causal`; Radford et al., 2019) or BERT (Devlin et al., 2019), and a tokenizer learned from the texts.

    The weights are drawn from torch's process-wide generator.

    Raises
    ------
    EncoderError: if there is no such tokenizer.
    """
    import transformers

    tokenizer = _learned_tokenizer(new, causal, texts)
    if causal:
        end = tokenizer.eos_token_id
        gpt = transformers.GPT2Config(
            vocab_size=len(tokenizer),
            n_positions=new.max_length,
            n_embd=new.hidden_size,
            n_layer=new.layers,
            n_head=new.heads,
            bos_token_id=end,
            eos_token_id=end,
            pad_token_id=end,
        )
        return transformers.GPT2LMHeadModel(gpt), tokenizer
    bert = transformers.BertConfig(
        vocab_size=len(tokenizer),
        max_position_embeddings=new.max_length,
        hidden_size=new.hidden_size,
        num_hidden_layers=new.layers,
        num_attention_heads=new.heads,
        intermediate_size=4 * new.hidden_size,
        pad_token_id=tokenizer.pad_token_id,
    )
    return transformers.BertForMaskedLM(bert), tokenizer


def _learned_tokenizer(new: NewModel, causal: bool, texts: Sequence[str]) -> PreTrainedTokenizerBase:
    """A tokenizer that begins every text with `END` (causal), or puts it between `CLS` and `SEP`."""
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    kind = new.tokenizer or ("bpe" if causal else "wordpiece")
    learners = {"bpe": _learned_bpe, "wordpiece": _learned_wordpiece}
    if kind not in learners:
        raise EncoderError(f"pretrain.new.tokenizer={kind}: there is no such tokenizer; the tokenizers are: {', '.join(learners)}")
    special = [END, UNKNOWN] if causal else [PAD, UNKNOWN, CLS, SEP, MASK]
    # in a fixed order, so that ties are always broken in the same way
    tokenizer = learners[kind](sorted(texts), new.vocabulary, special)
    # a causal model also reads a start token, so that it predicts a text's first token and "" has a vector
    pattern, used = (f"{END} $A", [END]) if causal else (f"{CLS} $A {SEP}", [CLS, SEP])
    tokenizer.post_processor = TemplateProcessing(single=pattern, special_tokens=[(token, tokenizer.token_to_id(token)) for token in used])
    names = {"bos_token": END, "eos_token": END, "pad_token": END} if causal else {"pad_token": PAD, "cls_token": CLS, "sep_token": SEP}
    names |= {"unk_token": UNKNOWN} if causal else {"unk_token": UNKNOWN, "mask_token": MASK}
    wrapper: Any = PreTrainedTokenizerFast  # its constructor has no types
    learned: PreTrainedTokenizerBase = wrapper(
        tokenizer_object=tokenizer, model_max_length=new.max_length, padding_side="right", clean_up_tokenization_spaces=False, **names
    )
    return learned


def _learned_bpe(texts: Sequence[str], vocabulary: int, special: list[str]) -> Tokenizer:
    """Byte-pair encoding on bytes (Sennrich et al., 2016; Radford et al., 2019): it can represent any text, including case."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    # with a space before the first word too, so that a word has the same tokens there as elsewhere
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=MIN_FREQUENCY,
        special_tokens=special,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def _learned_wordpiece(texts: Sequence[str], vocabulary: int, special: list[str]) -> Tokenizer:
    """WordPiece as in uncased BERT: words in lower case without accents, and their pieces."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    def bare(model: models.WordPiece) -> Tokenizer:
        tokenizer = Tokenizer(model)
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        tokenizer.decoder = decoders.WordPiece()
        return tokenizer

    learner = bare(models.WordPiece(unk_token=UNKNOWN))
    words = {word for text in texts for word, _ in learner.pre_tokenizer.pre_tokenize_str(learner.normalizer.normalize_str(text))}
    # the library numbers the pieces "##a" in random order and later breaks ties by number, so they are numbered beforehand
    pieces = sorted({f"##{letter}" for word in words for letter in word[1:]})
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocabulary, min_frequency=MIN_FREQUENCY, special_tokens=[*special, *pieces], show_progress=False
    )
    learner.train_from_iterator(texts, trainer)
    tokenizer = bare(models.WordPiece(learner.get_vocab(with_added_tokens=True), unk_token=UNKNOWN))
    tokenizer.add_special_tokens(special)
    return tokenizer

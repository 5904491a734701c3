"""The options that encoders made of a language model have in common."""

from dataclasses import dataclass

from recframe.components import option
from recframe_plugins.encoders.tuning_config import TuningConfig


@dataclass
class ModelConfig(TuningConfig):
    """What every language model that encodes texts is given."""

    model: str = option(
        "packaged:all-MiniLM-L6-v2",
        "'packaged:all-MiniLM-L6-v2' (installed with recframe, needs no network), the path of a model's folder, "
        "or a hub name (organisation/name), downloaded when first used",
    )
    revision: str | None = option(None, "branch, tag or commit of a hub model; a commit pins it")
    trust_remote_code: bool = option(False, "run Python code that comes with the model")
    max_length: int | None = option(
        None, "tokens read of each text, prompt included, the rest is cut off; by default what the model's authors chose", ge=3
    )
    dtype: str = option(
        "float32", "precision of the forward pass; vectors are float32 in any case", choices=["float32", "bfloat16", "float16"]
    )
    normalize: bool = option(True, "scale vectors to length one")
    item_prompt: str = option("", "put before every item's text, for models trained with prompts (such as 'passage: ')")
    user_prompt: str = option("", "put before every user's profile (such as 'query: ')")
    context_prompt: str = option("", "put before every visit's context")

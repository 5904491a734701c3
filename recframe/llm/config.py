"""Options of the access to a language model that answers prompts. Imports no torch."""

from collections.abc import Iterator
from dataclasses import dataclass

from recframe.components import option, seed_option
from recframe.endpoints.options import EndpointOptions, endpoint_problems

CHAT = "/chat/completions"
"""What is appended to an endpoint's address."""


@dataclass
class ChatConfig(EndpointOptions):
    """A language model that answers prompts: behind an OpenAI-compatible endpoint (`base_url`), or loaded here."""

    model: str = option(
        "packaged:smollm2-135m-instruct",
        "without base_url: 'packaged:smollm2-135m-instruct' (a package, needs no network), the path of a model's folder, or a hub name "
        "(organisation/name); with base_url: the endpoint's name for the model",
        path="folder",
    )
    base_url: str | None = option(
        None,
        "the endpoint's address without /chat/completions, such as https://api.openai.com/v1 or http://localhost:11434/v1; "
        "null: the model is loaded here",
        address=True,
    )
    revision: str | None = option(None, "branch, tag or commit of a hub model; a commit pins it")
    trust_remote_code: bool = option(False, "run Python code that comes with the model", runs_code=True)
    device: str = option("cpu", "where a model that is loaded here runs: cpu, cuda, or auto (cuda if available)")
    dtype: str = option("float32", "precision of a model that is loaded here", choices=["float32", "bfloat16", "float16"])
    batch_tokens: int = option(
        8192, "tokens in one batch of a model that is loaded here, padding and answers included", ge=16, determines=False
    )
    temperature: float = option(0.0, "0: always the likeliest token; 1: as the model says; drawn by `seed`", ge=0, le=10)
    max_tokens: int = option(64, "tokens of an answer; the rest is cut off", ge=1)
    seed: int = seed_option(0, "seed of drawn answers, of an endpoint too if it knows seeds; another seed asks again")
    logprobs: bool = option(True, "ask an endpoint for probabilities where one of several options is to be chosen; false: it refuses that")
    response_format: str = option(
        "text",
        "how an endpoint is told to answer in JSON, besides in words: json_schema, json_object, or text: in words alone, which all "
        "endpoints take",
        choices=["text", "json_object", "json_schema"],
    )
    ask_again: int = option(1, "how often an answer that is not as asked for is asked again, with what is wrong with it", ge=0, le=10)
    requests_at_once: int = option(8, "requests that wait for an endpoint's answer at once", ge=1, le=256, determines=False)
    cache: str | None = option(
        None, "folder of the answers that are kept; null: recframe's cache, in which all runs share them", path="any"
    )
    replay: str = option(
        "use",
        "use: what was answered before is not asked again; only: anything else is an error; off: all is asked, and nothing is kept",
        choices=["use", "only", "off"],
        determines=False,
    )
    max_calls: int | None = option(None, "calls of the model in this process; null: no limit", ge=0, determines=False)
    max_tokens_total: int | None = option(None, "tokens of prompts and answers in this process; null: no limit", ge=0, determines=False)
    max_cost: float | None = option(None, "the cost in this process, in the currency of the prices; null: no limit", ge=0, determines=False)
    price_in: float = option(0.0, "price of a million tokens of prompts", ge=0, determines=False)
    price_out: float = option(0.0, "price of a million tokens of answers", ge=0, determines=False)

    def problems(self, section: str) -> Iterator[str]:
        """Settings that contradict each other, one line each with the full key; for `contradictions()` of the config around this one.

        section: the key of this config, such as "environment.llm".
        """
        if self.base_url is not None:
            yield from endpoint_problems(self.base_url, self.api_key_variable, section, CHAT)
            if self.model.startswith("packaged:"):
                yield f"{section}.model={self.model} is loaded here, but {section}.base_url is set; give the endpoint's name for its model"
        elif self.api_key_variable is not None:
            yield f"{section}.api_key_variable is given, but {section}.base_url is not: a model that is loaded here needs no key"
        if self.max_cost is not None and not (self.price_in or self.price_out):
            yield f"{section}.max_cost={self.max_cost} limits nothing without prices; set {section}.price_in and {section}.price_out"

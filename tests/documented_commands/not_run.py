"""The documented commands that are not run here or in another test of the documents, each with the reason."""

from collections.abc import Sequence

SERVER = "a server that waits: tests/test_readme_recommender.py starts the README's; here its settings are read"
DOWNLOAD = "a download from elsewhere: tests/cli/test_data.py fetches from a server of its own; here the set and its part are looked up"
ROUNDS = "waits for people's feedback: the README's is run, and tests/rounds has the rounds"
KIT = "the plugin that the kit writes, or the tutorial's: tests/plugin_kit/test_check.py checks one, as long as all tests here take"
ONNX = "exports for five seconds: tests/serving/test_onnx.py exports, and compares with torch"
BENCH = "trains a minute: tests/bench runs the same task with an agent that needs less"
ELSEWHERE = "another experiment in place of the dots, which stand for those above it"
PACKAGED = "a model of 270 MB, which CI has not: tests/plugins/agents/language_policy/test_smollm2.py runs it as evidence"
POSTGRES = "a PostgreSQL server of the reader's: tests/sweeps/optuna has other databases; that the address is written right is looked at"
TUTORIAL = "the plugin of the tutorial: tests/test_docs.py installs it, runs its experiment, and composes the rest"

PRETRAINED = "a language model is made, and read: tests/pretraining makes smaller ones; tests/test_docs.py looks for mistakes"
NEW_MODEL = (
    "pretrain.from_scratch=true pretrain.new.vocabulary=4000 pretrain.new.layers=2 pretrain.new.hidden_size=128 "
    "pretrain.new.max_length=48 pretrain.epochs=4 pretrain.folder=models/gpt"
)
PACKAGED_POLICY = (
    "train experiment=next_item agent=language_policy agent.model=packaged:smollm2-135m-instruct agent.batch_size=8 logged.batches=100"
)

NOT_RUN: dict[str, str] = {
    "serve FOLDER": SERVER,
    "serve FOLDER port=8080 feedback.url=sqlite:///feedback.db exploration.kind=epsilon watch=true": SERVER,
    "serve FOLDER other.b=FOLDER_B share.b=0.1": SERVER,
    "serve policy": SERVER,
    "serve policy watch=true exploration.kind=epsilon exploration.epsilon=0.1": SERVER,
    "data fetch ml-1m": DOWNLOAD,
    "data fetch amazon-reviews-2023 --part Video_Games --folder data/games --accept-licence": DOWNLOAD,
    "learn sqlite:///feedback.db policy --rounds 3 --margin 0.01 -- logged.batches=5000 agent.learning_rate=1e-4": ROUNDS,
    "plugins check recframe-patience": KIT,
    "plugins check .": KIT,
    "plugins show reward stay": TUTORIAL,
    "train experiment=patience": TUTORIAL,
    "train reward=[click,stay] reward.stay.weight=0.1 debug=smoke": TUTORIAL,
    "train agent=myopic reward=[click,stay] reward.stay.weight=0.1 debug=smoke": TUTORIAL,
    "export runs/mine policy --onnx": ONNX,
    "bench table bench/smoke-v1/*/bench.json": BENCH,
    "train -m experiment=... trainer.env_steps=100000 trainer.evaluate_every=50000 seed=0,1,2": ELSEWHERE,
    'train -m study=dqn_tuning hydra.sweeper.storage="postgresql://user@host/studies" hydra.sweeper.study_name=tuning': POSTGRES,
    "train experiment=movietweetings dataset.path=FOLDER debug=smoke encoder=gpt encoder.model=models/gpt": PRETRAINED,
    "pretrain encoder=gpt pretrain.from_scratch=true pretrain.folder=models/gpt": PRETRAINED,
    f"pretrain encoder=gpt dataset=movielens_format dataset.path=FOLDER {NEW_MODEL}": PRETRAINED,
    f"pretrain dataset=movielens_format dataset.path=FOLDER encoder=gpt {NEW_MODEL}": PRETRAINED,
    f"{PACKAGED_POLICY} dataset=movielens_format dataset.path=FOLDER": PACKAGED,
    "bench run smoke agent=dqn agent.learning_starts=200": BENCH,
}


def reason(words: Sequence[str]) -> str | None:
    """Why a command is not run; None if it is."""
    return NOT_RUN.get(" ".join(words))

"""A whole pretraining: read a dataset's texts, train an encoder's language model, and write it to a folder."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from filelock import FileLock, Timeout
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import LambdaCallback

from recframe.attribution import as_messages, blaming
from recframe.building.component import build, component_of
from recframe.building.dataset import load_dataset
from recframe.building.device import choose_device
from recframe.building.seeds import derived_seed, seed_everything
from recframe.components import Kind
from recframe.config import PRETRAIN, ConfigError, recorded, validate
from recframe.config.checks.pretraining import occupied
from recframe.config.schema.pretraining import PretrainConfig
from recframe.console import output_console
from recframe.errors import Stop
from recframe.interfaces import Encoder, FinalResults, LanguageModel, NewModel, RunDescription
from recframe.pretraining.module import COUNTER, PretrainingModule
from recframe.pretraining.record import PretrainingResult, format_perplexity, table, write_record
from recframe.pretraining.texts import Batches, held_out_batches, split_texts, texts_of
from recframe.tracking import atomic_folder
from recframe.tracking.provenance import provenance, remember_offers
from recframe.tracking.run_loggers import RunLoggers
from recframe.training import Interruption, suppress_lightning_output
from recframe.training.module import Chunks
from recframe.training.progress import ProgressBar
from recframe.trial import try_components

log = logging.getLogger(__name__)

# default peak learning rates for new small models and for continued training (Devlin et al., 2019, appendix A.3)
LEARNING_RATE_NEW, LEARNING_RATE_CONTINUED = 1e-3, 5e-5


class _Interruption(Interruption):
    """Ends a pretraining at once, because there is no checkpoint to wait for."""

    def stop(self) -> Stop:
        number = self.signal_number or signal.SIGTERM
        return Stop(f"stopped by {signal.Signals(number).name}; nothing was written to {self.run_folder}", 128 + number)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep other processes from writing a model to `folder`, by a lock file next to it.

    Raises
    ------
    ConfigError: if another process is writing one there, or has done so since the config was checked.
    """
    folder = folder.absolute()
    lock_file = folder.with_name(f".{folder.name}.lock")
    lock_file.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(lock_file)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ConfigError([f"pretrain.folder: {str(folder)!r} is being written by another process; choose another"]) from None
    except (OSError, NotImplementedError) as error:
        raise ConfigError([f"pretrain.folder: {str(lock_file)!r} cannot be locked ({error}); choose a writable folder"]) from None
    try:
        if problem := occupied(folder):
            raise ConfigError([problem])
        yield
    finally:
        # Windows does not remove an open file; if another process locks the removed file, `atomic_folder` keeps both models
        with suppress(OSError):
            lock_file.unlink()
        lock.release()


def pretrain(cfg: DictConfig, overrides: Sequence[str] = (), sweep: str | None = None) -> PretrainingResult:
    """Train the language model that `cfg` describes on the dataset's texts, and save it to a new folder.

    The same config gives the same weights (on one CPU, to the last bit).

    Parameters
    ----------
    cfg: a composed config, such as `recframe.config.compose_config([...], app=PRETRAIN)` gives; `cfg.pretrain.folder` must be
        empty or not exist.
    overrides: the command-line overrides, for the name in W&B.     sweep: the sweep's name, for the group in W&B.

    A logger that fails after training is a warning: the model is complete.

    Raises
    ------
    recframe.errors.UserError: ConfigError, DataError, EncoderError, TrainingDiverged ...; the message is for the user.
    """
    started = time.perf_counter()
    cfg = validate(cfg, PRETRAIN)
    plain: Any = OmegaConf.to_container(cfg, resolve=True)
    settings: Any = OmegaConf.to_object(cfg.pretrain)
    folder = Path(plain["pretrain"]["folder"])
    interruption = _Interruption(folder)
    saved, stopped = False, None
    # the folder is not written if anything fails, so that no log could hold the traceback
    with as_messages(), interruption.listening(), _locked(folder), atomic_folder(folder) as temporary:
        device = choose_device(cfg.device)
        remember_offers()
        try_components(cfg, unused=(Kind.ENVIRONMENT, Kind.REWARD), app=PRETRAIN)
        texts = texts_of(load_dataset(cfg.dataset))
        encoder: Encoder = build(component_of(Kind.ENCODER, cfg.encoder), cfg.encoder, device=device)
        train, held_out = split_texts(texts, settings.held_out, torch.Generator().manual_seed(derived_seed(cfg.seed, "held out")))
        seed_everything(derived_seed(cfg.seed, "weights"))
        new = NewModel(**plain["pretrain"]["new"]) if settings.from_scratch else None
        with blaming(encoder):
            model = encoder.language_model(train, new, settings.mask_probability)
        name = recorded(cfg)["name"] or " ".join(overrides) or "default"
        described = RunDescription(temporary, name, sweep, recorded(cfg), counter=COUNTER, job="pretrain")
        run_loggers = RunLoggers(plain["logger"], described)
        base = "nothing" if new is not None else str(cfg.encoder.get("model", cfg.encoder.name))
        try:
            with run_loggers:
                figures = _trained(model, train, held_out, settings, cfg.seed, run_loggers, interruption)
                seconds = time.perf_counter() - started
                result = PretrainingResult(folder=folder, objective=model.objective, seconds=seconds, **figures)
                model.save(temporary)
                write_record(temporary, result, recorded(cfg), base, provenance(cfg, PRETRAIN))
                saved = True
                numbers = {name: value for name, value in figures.items() if isinstance(value, (int, float))}
                run_loggers.log_results(FinalResults(summary=numbers))
        except Stop as error:
            # an interrupted logger must not lose the trained model
            if not saved:
                raise
            stopped = error
    console = output_console()
    console.print(table(result))
    console.print(f"To use it: {result.use(cfg.encoder.name)}", highlight=False, soft_wrap=True)
    if stopped is not None:
        raise Stop(f"stopped while the loggers were closing; the model is complete in {folder}", stopped.exit_code) from stopped
    return result


def _trained(
    model: LanguageModel,
    train: Sequence[str],
    held_out: Sequence[str],
    settings: PretrainConfig,
    seed: int,
    run_loggers: RunLoggers,
    interruption: Interruption,
) -> dict[str, Any]:
    """Train the model in place; returns fields of a `PretrainingResult`."""
    train_counts, held_out_counts = model.token_counts(train), model.token_counts(held_out)
    tokens, parameters = sum(train_counts), sum(parameter.numel() for parameter in model.parameters())
    log.info("%s texts of %s tokens, %s parameters", f"{len(train):,}", f"{tokens:,}", f"{parameters:,}")
    batches = Batches(
        train,
        train_counts,
        model.batch,
        batch_tokens=settings.batch_tokens,
        epochs=settings.epochs,
        steps=settings.steps,
        seed=derived_seed(seed, "order and masks"),
    )
    judged = held_out_batches(held_out, held_out_counts, model.batch, settings.batch_tokens, derived_seed(seed, "held-out masks"))
    rate = settings.learning_rate or (LEARNING_RATE_NEW if settings.from_scratch else LEARNING_RATE_CONTINUED)
    module = PretrainingModule(model, settings, steps=len(batches), learning_rate=rate, held_out=judged)
    before = module.measured[0]
    log.info("held-out perplexity before training: %s", format_perplexity(before))
    device = next(model.parameters()).device
    bar = ProgressBar(len(batches), lambda: (module.global_step, f"held-out perplexity {module.measured[0]:.4g}"), settings.progress_bar)
    with suppress_lightning_output():
        trainer = pl.Trainer(
            accelerator="gpu" if device.type == "cuda" else "cpu",
            devices=[device.index or 0] if device.type == "cuda" else 1,
            precision=settings.precision,  # type: ignore[arg-type]
            max_epochs=1,
            val_check_interval=-(-len(batches) // settings.evaluations),
            gradient_clip_val=settings.gradient_clip,
            logger=run_loggers.loggers,
            # Lightning replaces the handler for SIGTERM with its own
            callbacks=[LambdaCallback(on_train_start=lambda *_: interruption.listen()), bar],
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            inference_mode=False,
            use_distributed_sampler=False,
        )
        trainer.fit(module, train_dataloaders=batches, val_dataloaders=Chunks(1))
        after = module.finish()
    model.eval()
    return {
        "texts": len(train),
        "held_out_texts": len(held_out),
        "tokens": tokens,
        "parameters": parameters,
        "steps": len(batches),
        "perplexity_before": before,
        "perplexity_after": after,
    }

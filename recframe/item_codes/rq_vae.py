"""RQ-VAE: an autoencoder whose latent vectors are quantized level by level (Zeghidour et al. 2021; Lee et al. 2022; TIGER, 2023).

    z = encoder(v),   its codes c by the codebooks of a residual vector quantizer,   v' = decoder(sum over l of C_l[c_l])
    loss = mean (v - v')^2 + commitment * mean |r_(l-1) - C_l[c_l]|^2, summed over the levels, the codebooks fixed

Gradients pass the quantizer straight through. Codebooks follow the moving average of what is assigned to them; a code that is hardly used
is moved to a vector of the batch. That is the work of `vector-quantize-pytorch`. v is centred, and scaled to unit variance over all items
and dimensions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recframe.item_codes.config import RqVaeConfig
from recframe.item_codes.errors import CodesError

DEAD_BELOW = 1.0
"""A code to which fewer vectors of a batch than this are assigned, on average, is moved."""

BATCH = 65_536
"""Vectors that are encoded at once, after training."""


def fit_rq_vae(vectors: Tensor, levels: int, size: int, settings: RqVaeConfig, seed: int, key: str) -> dict[str, Tensor]:
    """What codes of new items need (`latent`), and what turns codes into vectors (names that begin with "decoder"), by name.

    Parameters
    ----------
    vectors: `[M, D]`, on the device to train on.   key: where the codes' config stands, for the message of a missing library.
    """
    try:
        from vector_quantize_pytorch import ResidualVQ  # type: ignore[import-untyped]
    except ImportError:
        raise CodesError(
            f"{key}.kind=rq_vae needs vector-quantize-pytorch: pip install 'recframe[codes]', or use {key}.kind=residual_kmeans"
        ) from None
    device = vectors.device
    # the library draws from torch's own generators
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []), torch.enable_grad():
        torch.manual_seed(seed)
        dim = vectors.shape[1]
        encoder, decoder = _layers(dim, settings.hidden, settings.latent), _layers(settings.latent, settings.hidden, dim)
        quantizer: Any = ResidualVQ(
            dim=settings.latent,
            num_quantizers=levels,
            codebook_size=size,
            kmeans_init=True,
            threshold_ema_dead_code=DEAD_BELOW,
            commitment_weight=settings.commitment,
            rotation_trick=False,
        )
        scaling = _scaling(vectors)
        _train(nn.ModuleList([encoder, quantizer, decoder]).to(device), vectors, scaling, settings)
    learned = {"codebooks": quantizer.codebooks, **scaling}
    for name, network in (("encoder", encoder), ("decoder", decoder)):
        learned |= {f"{name}.{entry}": value for entry, value in network.state_dict().items()}
    return {name: value.detach().clone() for name, value in learned.items()}


def latent(vectors: Tensor, learned: Mapping[str, Tensor]) -> Tensor:
    """The latent vectors `[n, latent]` of `vectors` `[n, D]`, which the codebooks quantize."""
    parts = [_through("encoder", _scaled(batch, learned), learned) for batch in vectors.split(BATCH)]
    return torch.cat(parts) if parts else vectors.new_zeros(0, len(learned["encoder.2.bias"]))


def vectors_of_latents(latents: Tensor, learned: Mapping[str, Tensor]) -> Tensor:
    """The vectors `[n, D]` that latent vectors `[n, latent]` stand for."""
    return _through("decoder", latents, learned) * learned["scale"] + learned["centre"]


def _layers(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, outputs))


def _through(network: str, vectors: Tensor, learned: Mapping[str, Tensor]) -> Tensor:
    """`_layers` with learned weights."""
    hidden = F.relu(F.linear(vectors, learned[f"{network}.0.weight"], learned[f"{network}.0.bias"]))
    return F.linear(hidden, learned[f"{network}.2.weight"], learned[f"{network}.2.bias"])


def _scaling(vectors: Tensor) -> dict[str, Tensor]:
    """The mean of each dimension, and one scale for all: relative lengths of the dimensions are kept."""
    centre = vectors.float().mean(0)
    squares = sum((batch.float() - centre).square().sum(0) for batch in vectors.split(BATCH))
    assert isinstance(squares, Tensor)
    scale = (squares.sum() / vectors.numel()).sqrt()
    return {"centre": centre, "scale": torch.where(scale > 0, scale, 1.0)}


def _scaled(vectors: Tensor, scaling: Mapping[str, Tensor]) -> Tensor:
    return (vectors.float() - scaling["centre"]) / scaling["scale"]


def _train(networks: nn.ModuleList, vectors: Tensor, scaling: Mapping[str, Tensor], settings: RqVaeConfig) -> None:
    encoder, quantizer, decoder = networks.train()
    optimizer = torch.optim.Adam(networks.parameters(), settings.learning_rate)
    for _ in range(settings.steps):
        rows = torch.randint(len(vectors), (settings.batch_size,), device=vectors.device)
        given = _scaled(vectors[rows], scaling)
        quantized, _, commitment = quantizer(encoder(given))
        loss = F.mse_loss(decoder(quantized), given) + commitment.sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

"""Logs with propensities or random exposure: Open Bandit and Coat."""

from __future__ import annotations

from recframe.public_data.public_set import GIB, Checksum, Licence, PublicFile, PublicSet, SetFile, Unpacking

BANDITS = (
    PublicSet(
        name="open-bandit",
        title="Open Bandit Dataset",
        about="26 million impressions of 80 items of fashion in 3 campaigns, by a random policy and Thompson sampling, 2019; propensities",
        page="https://research.zozo.com/data.html",
        cite="Saito, Aihara, Matsutani and Narita, 2021: Open Bandit Dataset and Pipeline. NeurIPS Datasets and Benchmarks.",
        licence=Licence("CC BY 4.0", ("Free use; name the authors and their paper.",), "https://creativecommons.org/licenses/by/4.0/"),
        files=(
            PublicFile(
                "open_bandit_dataset.zip",
                "https://research.zozo.com/data_release/open_bandit_dataset.zip",
                size=412_931_917,
                checksums=(
                    Checksum(
                        "sha256",
                        "e8ec18196582a5937381a1776382ca940689b90a18d2dcd1fb635be6df614d78",
                        "recorded alike by several users; its publisher gives none",
                    ),
                ),
                unpacking=Unpacking(("open_bandit_dataset/{part}/*.csv",), largest=16 * GIB),
            ),
        ),
        settings={"interactions": "open_bandit_dataset/{part}"},
        train="environment=none stages=[logged] split.by=time",
        part=SetFile(
            "policy/campaign", tuple(f"{policy}/{place}" for policy in ("random", "bts") for place in ("all", "men", "women")), "random/all"
        ),
    ),
    PublicSet(
        name="coat",
        title="Coat shopping",
        about="6,960 ratings (1 to 5) of 300 coats by 290 people who chose what to rate, and 4,640 of coats drawn at random; no words",
        page="https://www.cs.cornell.edu/~schnabts/mnar/",
        cite="Schnabel et al., 2016: Recommendations as Treatments: Debiasing Learning and Evaluation. ICML.",
        licence=Licence(
            "none stated", ("Published for research with its paper, which to cite.",), "https://www.cs.cornell.edu/~schnabts/mnar/"
        ),
        files=(
            PublicFile(
                "coat.zip",
                "https://www.cs.cornell.edu/~schnabts/mnar/coat.zip",
                largest=1 << 26,
                unpacking=Unpacking(("coat/train.ascii", "coat/test.ascii", "coat/propensities.ascii"), largest=1 << 28),
            ),
        ),
        settings={"path": "coat/train.ascii", "test_path": "coat/test.ascii"},
        train="experiment=rating_matrix",
    ),
)

"""Logs of short videos (KuaiRec, KuaiRand) and of news (MIND)."""

from __future__ import annotations

from recframe.public_data.conversions.events import convert_mind
from recframe.public_data.conversions.movies_and_videos import convert_kuairec
from recframe.public_data.public_set import GIB, Checksum, Licence, PublicFile, PublicSet, Unpacking

ZENODO = "published by Zenodo"
CC_BY_SA = "Free use; name the authors and their paper, and share what is derived from it under the same licence."


def kuairand(name: str, title: str, about: str, suffix: str, archive: str, size: int, md5: str) -> PublicSet:
    """A version of KuaiRand, whose standard log of the first two weeks is read."""
    folder = archive.removesuffix(".tar.gz")
    names = ("log_standard_4_08_to_4_21", "log_standard_4_22_to_5_08", "log_random_4_22_to_5_08", "user_features", "video_features_basic")
    return PublicSet(
        name=name,
        title=title,
        about=about,
        page="https://kuairand.com",
        cite="Gao et al., 2022: KuaiRand: An Unbiased Sequential Recommendation Dataset with Randomly Exposed Videos. CIKM.",
        licence=Licence("CC BY-SA 4.0", (CC_BY_SA,), "https://creativecommons.org/licenses/by-sa/4.0/"),
        files=(
            PublicFile(
                archive,
                f"https://zenodo.org/records/10439422/files/{archive}",
                size=size,
                checksums=(Checksum("md5", md5, ZENODO),),
                unpacking=Unpacking(tuple(f"{folder}/data/{one}_{suffix}.csv" for one in names), largest=4 * GIB),
            ),
        ),
        settings={
            "interactions": f"{folder}/data/log_standard_4_08_to_4_21_{suffix}.csv",
            "items": f"{folder}/data/video_features_basic_{suffix}.csv",
        },
    )


def mind(name: str, title: str, about: str, archive: str) -> PublicSet:
    """The training part of a version of MIND."""
    return PublicSet(
        name=name,
        title=title,
        about=about,
        page="https://msnews.github.io/",
        cite="Wu et al., 2020: MIND: A Large-scale Dataset for News Recommendation. ACL.",
        licence=Licence(
            "Microsoft Research License Terms",
            ("For research, not commercial; the terms are accepted on the page that gives out the files.",),
            "https://github.com/msnews/MIND/blob/master/MSR%20License_Data.pdf",
        ),
        files=(PublicFile(archive, None, unpacking=Unpacking(("*behaviors.tsv", "*news.tsv"), largest=8 * GIB)),),
        settings={"interactions": "interactions.csv", "items": "items.csv"},
        # a user's last news is seldom a click
        train="experiment=next_item split.by=time split.targets=all",
        get=f"Accept Microsoft's terms on that page and get {archive}.",
        convert=convert_mind,
        converted=("interactions.csv", "items.csv"),
    )


VIDEOS = (
    PublicSet(
        name="kuairec",
        title="KuaiRec 2.0",
        about="12,530,806 views of 10,728 short videos by 7,176 people (and an almost full 1,411 x 3,327 matrix), 2020; captions, topics",
        page="https://kuairec.com",
        cite="Gao et al., 2022: KuaiRec: A Fully-Observed Dataset and Insights for Evaluating Recommender Systems. CIKM.",
        licence=Licence("CC BY-SA 4.0", (CC_BY_SA,), "https://creativecommons.org/licenses/by-sa/4.0/"),
        files=(
            PublicFile(
                "KuaiRec.zip",
                "https://zenodo.org/records/18164998/files/KuaiRec.zip",
                size=431_964_858,
                checksums=(Checksum("md5", "261550d472c48eff4990fb13c0e5bcf7", ZENODO),),
                unpacking=Unpacking(("KuaiRec 2.0/data/big_matrix.csv", "KuaiRec 2.0/data/small_matrix.csv"), largest=4 * GIB),
            ),
            PublicFile(
                "kuairec_caption_category.csv",
                "https://zenodo.org/records/18164998/files/kuairec_caption_category.csv",
                checksums=(Checksum("md5", "31bc38cdccdf75a71df137779035f8cb", ZENODO),),
                largest=GIB,
            ),
        ),
        settings={"interactions": "KuaiRec 2.0/data/big_matrix.csv", "items": "items.csv"},
        convert=convert_kuairec,
        converted=("items.csv",),
    ),
    kuairand(
        "kuairand-pure",
        "KuaiRand-Pure",
        "1,436,609 interactions with 7,551 short videos by 27,285 people, and 1,186,059 with videos shown at random, 2022; no words",
        "pure",
        "KuaiRand-Pure.tar.gz",
        47_432_272,
        "0820331067a3784d9691136f772b35a7",
    ),
    kuairand(
        "kuairand-1k",
        "KuaiRand-1K",
        "11,713,045 interactions with 4,369,953 short videos by 1,000 people, and 43,028 with videos shown at random, 2022; no words",
        "1k",
        "KuaiRand-1K.tar.gz",
        1_135_436_720,
        "6b0b9c8222d67fcd4c676218edca3f1f",
    ),
    mind("mind-small", "MIND-small", "impressions of news to 50,000 people, 2019; titles, abstracts, categories", "MINDsmall_train.zip"),
    mind("mind-large", "MIND", "impressions of news to 1 million people (training part), 2019; titles, abstracts", "MINDlarge_train.zip"),
)

"""Ratings of films: MovieLens of GroupLens, and MovieTweetings."""

from __future__ import annotations

from recframe.public_data.conversions.movies_and_videos import convert_movielens_100k
from recframe.public_data.public_set import GIB, Checksum, Licence, PublicFile, PublicSet, Unpacking

TENSORFLOW = "recorded by TensorFlow Datasets"
GROUPLENS = "published by GroupLens"

USE = "For research. No claim that the University of Minnesota or GroupLens endorses the results; acknowledge the data in publications."
NO_REDISTRIBUTION = "No redistribution without separate permission, and no commercial or revenue-bearing use without permission."
SHARE_ALIKE = "Redistribution only under the same terms, and no commercial or revenue-bearing use without permission."
HARPER = "Harper and Konstan, 2015: The MovieLens Datasets: History and Context. ACM Transactions on Interactive Intelligent Systems 5 (4)."


def movielens(
    name: str, title: str, about: str, size: int, *, md5: str | None, sha256: str | None, redistribution: str, extension: str = "csv"
) -> PublicSet:
    """A MovieLens set in the layout of movies and ratings files."""
    checksums = ([Checksum("md5", md5, GROUPLENS)] if md5 else []) + ([Checksum("sha256", sha256, TENSORFLOW)] if sha256 else [])
    members = tuple(f"{name}/{file}" for file in (f"movies.{extension}", f"ratings.{extension}", "README*"))
    return PublicSet(
        name=name,
        title=title,
        about=about,
        page=f"https://grouplens.org/datasets/movielens/{name.removeprefix('ml-').replace('latest-small', 'latest')}/",
        cite=HARPER,
        licence=Licence(
            "MovieLens usage licence", (USE, redistribution), f"https://files.grouplens.org/datasets/movielens/{name}-README.html"
        ),
        files=(
            PublicFile(
                f"{name}.zip",
                f"https://files.grouplens.org/datasets/movielens/{name}.zip",
                size=size,
                checksums=tuple(checksums),
                unpacking=Unpacking(members, largest=4 * GIB),
            ),
        ),
        settings={"path": name},
    )


MOVIES = (
    PublicSet(
        name="ml-100k",
        title="MovieLens 100K",
        about="100,000 ratings (1 to 5) of 1,682 films by 943 people, 1997 to 1998; titles, years, genres",
        page="https://grouplens.org/datasets/movielens/100k/",
        cite=HARPER,
        licence=Licence(
            "MovieLens usage licence", (USE, NO_REDISTRIBUTION), "https://files.grouplens.org/datasets/movielens/ml-100k-README.txt"
        ),
        files=(
            PublicFile(
                "ml-100k.zip",
                "https://files.grouplens.org/datasets/movielens/ml-100k.zip",
                size=4_924_029,
                checksums=(
                    Checksum("md5", "0e33842e24a9c977be4e0107933c0723", GROUPLENS),
                    Checksum("sha256", "50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229", TENSORFLOW),
                ),
                unpacking=Unpacking(tuple(f"ml-100k/{file}" for file in ("u.data", "u.item", "u.genre", "u.user", "README")), largest=GIB),
            ),
        ),
        settings={"path": "ml-100k"},
        convert=convert_movielens_100k,
        converted=("ml-100k/movies.csv", "ml-100k/ratings.csv"),
    ),
    movielens(
        "ml-1m",
        "MovieLens 1M",
        "1,000,209 ratings (1 to 5) of 3,706 films by 6,040 people, 2000 to 2003; titles, years, genres",
        5_917_549,
        md5="c4d9eecfca2ab87c1945afe126590906",
        sha256="a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20",
        redistribution=NO_REDISTRIBUTION,
        extension="dat",
    ),
    movielens(
        "ml-20m",
        "MovieLens 20M",
        "20,000,263 ratings (half stars, to 5) of 27,278 films by 138,493 people, 1995 to 2015; titles, years, genres",
        198_702_078,
        md5="cd245b17a1ae2cc31bb14903e1204af3",
        sha256="96f243c338a8665f6bcc89c53edf6ee39162a846940de6b7c8c48aeada765ff3",
        redistribution=SHARE_ALIKE,
    ),
    movielens(
        "ml-25m",
        "MovieLens 25M",
        "25,000,095 ratings (half stars, to 5) of 62,423 films by 162,541 people, 1995 to 2019; titles, years, genres",
        261_978_986,
        md5="6b51fb2759a8657d3bfcbfc42b592ada",
        sha256="8b21cfb7eb1706b4ec0aac894368d90acf26ebdfb6aced3ebd4ad5bd1eb9c6aa",
        redistribution=SHARE_ALIKE,
    ),
    movielens(
        "ml-32m",
        "MovieLens 32M",
        "32,000,204 ratings (half stars, to 5) of 87,585 films by 200,948 people, 1995 to 2023; titles, years, genres",
        238_950_008,
        md5="d472be332d4daa821edc399621853b57",
        sha256=None,
        redistribution=SHARE_ALIKE,
    ),
    movielens(
        "ml-latest-small",
        "MovieLens latest, small",
        "100,836 ratings (half stars, to 5) of 9,742 films by 610 people, 1996 to 2018; titles, years, genres",
        978_202,
        md5=None,
        sha256="696d65a3dfceac7c45750ad32df2c259311949efec81f0f144fdfb91ebc9e436",
        redistribution=SHARE_ALIKE,
    ),
    PublicSet(
        name="movietweetings-100k",
        title="MovieTweetings, snapshot 100K",
        about="100,000 ratings (0 to 10) of 10,506 films by 16,554 people, from tweets of 2013; titles, years, genres",
        page="https://github.com/sidooms/MovieTweetings",
        cite="Dooms, De Pessemier and Martens, 2013: MovieTweetings: a Movie Rating Dataset Collected From Twitter. CrowdRec at RecSys.",
        licence=Licence(
            "MIT", ("Free use; keep the copyright notice with copies.",), "https://github.com/sidooms/MovieTweetings/blob/master/LICENSE"
        ),
        files=tuple(
            PublicFile(
                name,
                f"https://raw.githubusercontent.com/sidooms/MovieTweetings/4d8280a3f1ea83e3e23f13d1710d19f43564274f/snapshots/100K/{name}",
                size=size,
                checksums=(Checksum("sha256", sha256, "computed from a copy"),),
            )
            for name, size, sha256 in (
                ("movies.dat", 542_192, "e63fb84bc734e3c574f135634a40d3cbafab22b8f94f5fc0b80f80d1d2076efc"),
                ("ratings.dat", 2_945_101, "c0dd868c2632d10002ebc928ddc5345f33adeaa59eca52c2941c26a2c5e36fd6"),
            )
        ),
        settings={"path": ""},
    ),
)

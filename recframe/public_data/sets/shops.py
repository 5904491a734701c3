"""Logs and reviews of shops, games, books and places: Amazon Reviews 2023, Steam, Goodreads, Yelp, RetailRocket."""

from __future__ import annotations

from recframe.public_data.conversions.events import convert_yelp
from recframe.public_data.conversions.ucsd import convert_amazon, convert_goodreads, convert_steam
from recframe.public_data.public_set import GIB, Licence, PublicFile, PublicSet, SetFile, Unpacking

UCSD = "https://mcauleylab.ucsd.edu/public_datasets"

AMAZON_CATEGORIES = (
    "All_Beauty",
    "Amazon_Fashion",
    "Appliances",
    "Arts_Crafts_and_Sewing",
    "Automotive",
    "Baby_Products",
    "Beauty_and_Personal_Care",
    "Books",
    "CDs_and_Vinyl",
    "Cell_Phones_and_Accessories",
    "Clothing_Shoes_and_Jewelry",
    "Digital_Music",
    "Electronics",
    "Gift_Cards",
    "Grocery_and_Gourmet_Food",
    "Handmade_Products",
    "Health_and_Household",
    "Health_and_Personal_Care",
    "Home_and_Kitchen",
    "Industrial_and_Scientific",
    "Kindle_Store",
    "Magazine_Subscriptions",
    "Movies_and_TV",
    "Musical_Instruments",
    "Office_Products",
    "Patio_Lawn_and_Garden",
    "Pet_Supplies",
    "Software",
    "Sports_and_Outdoors",
    "Subscription_Boxes",
    "Tools_and_Home_Improvement",
    "Toys_and_Games",
    "Unknown",
    "Video_Games",
)

GOODREADS_GENRES = (
    "children",
    "comics_graphic",
    "fantasy_paranormal",
    "history_biography",
    "mystery_thriller_crime",
    "poetry",
    "romance",
    "young_adult",
)

SHOPS = (
    PublicSet(
        name="amazon-reviews-2023",
        title="Amazon Reviews 2023",
        about="ratings (1 to 5) in one category, people and products with 5 or more, 1996 to 2023; titles, descriptions, categories",
        page="https://amazon-reviews-2023.github.io/",
        cite="Hou et al., 2024: Bridging Language and Items for Retrieval and Recommendation. arXiv:2403.03952.",
        licence=Licence(
            "none stated for the data",
            ("Published for research; the reviews are Amazon's and their authors'. Ask before any other use.",),
            "https://amazon-reviews-2023.github.io/",
        ),
        files=(
            PublicFile("{part}.csv.gz", f"{UCSD}/data/amazon_2023/benchmark/5core/rating_only/{{part}}.csv.gz", largest=4 * GIB),
            PublicFile("meta_{part}.jsonl.gz", f"{UCSD}/data/amazon_2023/raw/meta_categories/meta_{{part}}.jsonl.gz", largest=16 * GIB),
        ),
        settings={"interactions": "{part}.csv.gz", "items": "items.csv"},
        part=SetFile("category", AMAZON_CATEGORIES, "Video_Games"),
        convert=convert_amazon,
        converted=("items.csv",),
    ),
    PublicSet(
        name="steam",
        title="Steam, version 2",
        about="7,793,069 reviews of 15,474 games by 2,567,538 people, 2010 to 2018, hours played; titles, genres, tags",
        page="https://cseweb.ucsd.edu/~jmcauley/datasets.html#steam_data",
        cite="Kang and McAuley, 2018: Self-attentive sequential recommendation. ICDM.",
        licence=Licence(
            "none stated",
            ("Published for research; the reviews are their authors'. Ask before any other use.",),
            "https://cseweb.ucsd.edu/~jmcauley/datasets.html",
        ),
        files=(
            PublicFile("steam_reviews.json.gz", f"{UCSD}/data/steam/steam_reviews.json.gz", largest=8 * GIB),
            PublicFile("steam_games.json.gz", f"{UCSD}/data/steam/steam_games.json.gz", largest=GIB),
        ),
        settings={"interactions": "interactions.csv", "items": "items.csv"},
        convert=convert_steam,
        converted=("interactions.csv", "items.csv"),
    ),
    PublicSet(
        name="goodreads",
        title="Goodreads (UCSD Book Graph)",
        about="shelves and ratings (1 to 5) of one genre's books, to 2017; titles, descriptions. Poetry, the smallest: about 2.7 million",
        page="https://cseweb.ucsd.edu/~jmcauley/datasets/goodreads.html",
        cite="Wan and McAuley, 2018: Item Recommendation on Monotonic Behavior Chains. RecSys.",
        licence=Licence(
            "academic use only",
            ("For academic use. Do not redistribute the data, and do not use it commercially.",),
            "https://cseweb.ucsd.edu/~jmcauley/datasets/goodreads.html",
        ),
        files=(
            PublicFile(
                "goodreads_interactions_{part}.json.gz",
                f"{UCSD}/gdrive/goodreads/byGenre/goodreads_interactions_{{part}}.json.gz",
                largest=16 * GIB,
            ),
            PublicFile(
                "goodreads_books_{part}.json.gz", f"{UCSD}/gdrive/goodreads/byGenre/goodreads_books_{{part}}.json.gz", largest=8 * GIB
            ),
        ),
        settings={"interactions": "interactions.csv", "items": "items.csv"},
        part=SetFile("genre", GOODREADS_GENRES, "poetry"),
        convert=convert_goodreads,
        converted=("interactions.csv", "items.csv"),
    ),
    PublicSet(
        name="yelp",
        title="Yelp Open Dataset",
        about="reviews (1 to 5 stars) of businesses; names, categories, places. About 7 million in the version of 2022",
        page="https://business.yelp.com/data/resources/open-dataset/",
        cite="Yelp Open Dataset.",
        licence=Licence(
            "Yelp Dataset License",
            ("For education and academic research, not commercial; no redistribution. The terms are accepted on Yelp's page.",),
            "https://business.yelp.com/data/resources/open-dataset/",
        ),
        files=(
            PublicFile(
                "Yelp-JSON.zip",
                None,
                unpacking=Unpacking(
                    ("*yelp_academic_dataset_review.json", "*yelp_academic_dataset_business.json"),
                    largest=64 * GIB,
                    inner="yelp_dataset.tar",
                ),
            ),
        ),
        settings={"interactions": "interactions.csv", "items": "items.csv"},
        get="Accept Yelp's terms on that page and get the JSON archive.",
        convert=convert_yelp,
        converted=("interactions.csv", "items.csv"),
    ),
    PublicSet(
        name="retailrocket",
        title="RetailRocket",
        about="2,756,101 events (view, addtocart, transaction) of 1,407,580 visitors of a shop, 2015; items have no words",
        page="https://www.kaggle.com/datasets/retailrocket/ecommerce-dataset",
        cite="Zykov, Noskov and Anokhin, 2022: Retailrocket recommender system dataset. Kaggle.",
        licence=Licence(
            "CC BY-NC-SA 4.0",
            ("Not commercial; name the authors, and share what is derived from it under the same licence. Kaggle asks for an account.",),
            "https://creativecommons.org/licenses/by-nc-sa/4.0/",
        ),
        files=(PublicFile("archive.zip", None, unpacking=Unpacking(("events.csv",), largest=4 * GIB)),),
        settings={"interactions": "events.csv"},
        get="Log in to Kaggle on that page and get archive.zip.",
    ),
)

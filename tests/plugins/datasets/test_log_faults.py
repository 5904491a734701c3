"""What becomes of bad logs: each kind is an error that names the place, or a warning with a count, and nothing is written.

docs/results/logs_faults.md has the table; `python tests/plugins/datasets/test_log_faults.py` writes it.
"""

import gzip
import io
import logging
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from recframe.interfaces import Data, DataError, Dataset
from recframe_plugins.datasets.bandit_log.bandit_log import BanditLog
from recframe_plugins.datasets.bandit_log.config import BanditLogConfig
from recframe_plugins.datasets.recbole_atomic.config import RecboleAtomicConfig
from recframe_plugins.datasets.recbole_atomic.recbole_atomic import RecboleAtomic
from recframe_plugins.datasets.sequences.config import SequencesConfig
from recframe_plugins.datasets.sequences.sequences import SequenceLines
from recframe_plugins.datasets.table.config import TableConfig
from recframe_plugins.datasets.table.table import Table

TABLE = Path(__file__).parents[3] / "docs" / "results" / "logs_faults.md"

HEADER = "user_id,item_id,rating,timestamp\n"
ROWS = "u1,a,4,978300760\nu1,b,5,978300860\nu2,a,3,978300960\n"
LOG = HEADER + ROWS
ITEMS = "item_id,title\na,Alien\nb,Bambi\n"
BANDIT = "user,item_id,position,click,propensity\nu1,a,0,1,0.5\nu2,b,0,0,0.25\n"


@dataclass
class Fault:
    """A bad log. files: their content by name.   expected: the message, or a part of it; {} stands for the folder.

    error: whether it is refused; otherwise the message is a warning, or what is said about a log that is read as it should be ("read").
    """

    kind: str
    files: dict[str, Any]
    expected: str
    outcome: str = "error"
    options: dict[str, Any] = field(default_factory=dict)
    dataset: str = "table"


def utf16(text: str) -> bytes:
    return text.encode("utf-16")


def zipped(**files: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("_", "."), text)
    return content.getvalue()


def parquet(**columns: Any) -> bytes:
    content = io.BytesIO()
    pl.DataFrame(columns).write_parquet(content)
    return content.getvalue()


def log(*rows: str, header: str = HEADER) -> dict[str, str]:
    return {"log.csv": header + "".join(f"{row}\n" for row in rows)}


def with_rows(*rows: str) -> dict[str, str]:
    return {"log.csv": LOG + "".join(f"{row}\n" for row in rows)}


FAULTS = [
    # --- files
    Fault("empty file", {"log.csv": ""}, "log.csv: is empty, expected a line with the names of the columns, and rows below it"),
    Fault("blank lines only", {"log.csv": "\n  \n\n"}, "log.csv: is empty"),
    Fault("header only", {"log.csv": HEADER}, "log.csv: holds only a header (user_id,item_id,rating,timestamp), expected rows below it"),
    Fault("a folder in place of the file", {"log.csv/part-0.csv": LOG}, "log.csv: is a folder (it holds part-0.csv), expected a file"),
    Fault("a folder in place of the items", {"log.csv": LOG, "items.csv/x": ""}, "items.csv: is a folder (it holds x), expected a file"),
    Fault("truncated gzip", {"log.csv.gz": gzip.compress(LOG.encode())[:-20]}, "log.csv.gz: is truncated"),
    Fault("damaged gzip", {"log.csv.gz": b"\x1f\x8b" + b"x" * 40}, "log.csv.gz: is damaged"),
    Fault("zip with two files", {"log.zip": zipped(a_csv=LOG, b_csv=LOG)}, "log.zip: holds a.csv, b.csv, expected one file"),
    Fault("truncated zip", {"log.zip": zipped(a_csv=LOG)[:-30]}, "log.zip: is truncated or damaged"),
    Fault("another archive", {"log.csv": b"7z\xbc\xaf\x27\x1c" + b"x" * 20}, "log.csv: is a 7z archive; unpack it and give the file in it"),
    Fault("a spreadsheet", {"log.xlsx": zipped(sheet_xml="<x/>")}, "log.xlsx: is a spreadsheet; save it as .csv and give that file"),
    Fault(
        "a parquet file called .csv",
        {"log.csv": parquet(user_id=["u"] * 2, item_id=["a", "b"], timestamp=[10**9, 10**9 + 1])},
        "log.csv: is a parquet file, whatever its extension, and read as one",
        "warning",
    ),
    Fault("a text file called .parquet", {"log.parquet": LOG}, "log.parquet: is not a parquet file, whatever its extension"),
    Fault("truncated parquet", {"log.parquet": parquet(user_id=["u"], item_id=["a"])[:-30]}, "log.parquet: cannot be read as parquet"),
    Fault("commas in a .tsv file", {"log.tsv": LOG}, "log.tsv: has ',' between the fields, whatever its extension", "warning"),
    # --- encodings and line ends
    Fault(
        "latin-1",
        {"log.csv": LOG, "items.csv": "item_id,title\na,Amélie\nb,Señorita\n".encode("latin-1")},
        "items.csv: read as latin-1",
        "read",
    ),
    Fault(
        "one line in another encoding",
        {"log.csv": LOG, "items.csv": "item_id,title\na,Amélie\nb,Zoë\n".encode() + "c,Señor\n".encode("latin-1")},
        "items.csv:4: bytes that are not UTF-8, expected UTF-8 (or dataset.encoding=latin-1)",
    ),
    Fault("byte order mark", {"log.csv": b"\xef\xbb\xbf" + LOG.encode()}, "user = user_id, item = item_id", "read"),
    Fault("UTF-16", {"log.csv": utf16(LOG)}, "log.csv: read as UTF-16", "read"),
    Fault("CRLF and CR line ends", {"log.csv": LOG.replace("\n", "\r\n"), "items.csv": ITEMS.replace("\n", "\r")}, "title = title", "read"),
    Fault("zero bytes", {"log.csv": LOG + "u3,a\0,4,978300760\n"}, "log.csv: holds zero bytes, expected text in UTF-8"),
    # --- columns
    Fault(
        "no column of users", {"log.csv": "who,item_id\nu,a\n"}, "log.csv:1: no column looks like the user; the columns are who, item_id"
    ),
    Fault(
        "no column of items", {"log.csv": "user_id,what\nu,a\n"}, "log.csv:1: no column looks like the item; the columns are user_id, what"
    ),
    Fault(
        "a column that is named but missing",
        {"log.csv": LOG},
        "dataset.columns.item=sku: {}log.csv:1 has no column 'sku'; its columns are user_id, item_id, rating, timestamp",
        options={"columns": {"item": "sku"}},
    ),
    Fault(
        "a feedback column that is missing",
        {"log.csv": LOG},
        "dataset.feedback.click=clicked: {}log.csv:1 has no column 'clicked'",
        options={"feedback": {"click": "clicked"}},
    ),
    Fault(
        "two columns of one name", {"log.csv": "user_id,item_id,item_id\nu,a,b\n"}, "log.csv:1: columns 2 and 3 have one name, 'item_id'"
    ),
    Fault(
        "two columns that may be the item",
        {"log.csv": "user_id,asin,parent_asin\nu,a,b\nv,b,a\n"},
        "log.csv: the item may be in parent_asin or asin; parent_asin is taken (+dataset.columns.item=COLUMN chooses another)",
        "warning",
    ),
    Fault(
        "no header",
        {"log.csv": ROWS},
        "log.csv:1: no column looks like the user or the item; the columns are u1, a, 4, 978300760; name it with "
        "+dataset.columns.user=COLUMN; if there is no header, number the columns, as in +dataset.columns.user=1",
    ),
    Fault(
        "no times", {"log.csv": "user_id,item_id\nu,a\nu,b\nv,a\n"}, "log.csv: has no times; the order of its rows stands for", "warning"
    ),
    Fault(
        "nested columns in parquet",
        {"log.csv": LOG, "items.parquet": parquet(item_id=["a", "b"], title=["A", "B"], specs=[{"x": 1}, {"x": 2}])},
        "items.parquet: 1 column(s) hold nested values, which are not used: specs",
        "warning",
    ),
    Fault(
        "nested ids in parquet",
        {"log.parquet": parquet(user_id=[{"id": 1}], item_id=["a"])},
        "log.parquet: column 'user_id' is of type Struct({'id': Int64}), expected ids: text or whole numbers",
    ),
    # --- rows
    Fault("header twice", with_rows(HEADER.strip(), "u3,a,1,978300999"), "log.csv:5: is the header again, expected a row"),
    Fault("too few fields", with_rows("u3,a"), "log.csv:5: 'u3,a' is not 4 fields, expected user_id,item_id,rating,timestamp"),
    Fault("too many fields", with_rows("u3,a,1,978300760,9"), "log.csv:5: 'u3,a,1,978300760,9' is not 4 fields"),
    Fault("a row with another separator", with_rows("u3;a;1;978300760"), "log.csv:5: 'u3;a;1;978300760' is not 4 fields"),
    Fault(
        "rows that are left out",
        with_rows("u3,a", "u4,a,x,978300760"),
        "left out 2 malformed row(s) (1 bad rating, 1 wrong number of fields); the first is {}log.csv:5: 'u3,a' is not 4 fields",
        "warning",
        {"malformed": "skip"},
    ),
    Fault("no row that can be used", log(",a,4,978300760"), "log.csv: holds no usable row", options={"malformed": "skip"}),
    Fault(
        "a quote that is not closed",
        with_rows('"u3,a,1,978300760'),
        "log.csv: 1 line(s) have quotes that do not enclose a field",
        "warning",
    ),
    Fault(
        "quotes and separators in titles",
        {"log.csv": LOG, "items.csv": 'item_id,title\na,"Alien, ""the"" first"\nb,"Bambi;\ntwo lines"\n'},
        "items.csv: id = item_id, title = title, attributes: none",
        "read",
    ),
    Fault("broken JSON line", {"log.jsonl": '{"user": 1, "item": 2}\n{"user": 1, "it\n'}, "log.jsonl:2: is not JSON (Unterminated string"),
    Fault("a JSON line that is no object", {"log.jsonl": '{"user": 1, "item": 2}\n[1, 2]\n'}, "log.jsonl:2: is JSON, but no object"),
    Fault("a JSON array", {"log.json": '[{"user": 1}]'}, "log.json: begins with '[': is a JSON array, expected JSON lines"),
    Fault(
        "one key with two types in JSON",
        {"log.jsonl": '{"user": 1, "item": 2}\n{"user": {"id": 1}, "item": 2}\n'},
        "log.jsonl:2: 'user' is dict here and a number on line 1; expected one type throughout",
    ),
    # --- ids
    Fault("empty ids", with_rows(",a,1,978300760"), "log.csv:5: column 'user_id': empty user id, expected one such as '1'"),
    Fault(
        "ids that read like missing values",
        with_rows("null,a,1,978300999", "u9,NaN,1,978300999"),
        "log.csv: 1 user id(s) read like a missing value (null, nan, none); they are taken as ids",
        "warning",
    ),
    Fault(
        "ids in scientific notation",
        with_rows("1.23E+15,a,1,978300999"),
        "log.csv: 1 user id(s) are in scientific notation, as spreadsheets write long numbers: different ids may have become one",
        "warning",
    ),
    Fault(
        "huge, negative and other ids", log("123456789012345678901234567890,-7,4,978300760", "-1,é x,4,978300761"), "user = user_id", "read"
    ),
    Fault(
        "ids with a fraction in parquet",
        {"log.parquet": parquet(user_id=[1.0, None], item_id=["a", "b"])},
        "row 2: column 'user_id': empty user id",
    ),
    Fault(
        "a single user", log("u,a,4,978300760", "u,b,5,978300761"), "log.csv: all 2 row(s) are of 1 user; nothing can be learned", "warning"
    ),
    Fault(
        "a single item", log("u,a,4,978300760", "v,a,5,978300761"), "log.csv: all 2 row(s) are of 1 item; nothing can be learned", "warning"
    ),
    Fault(
        "items that the table of items lacks",
        {"log.csv": LOG + "u3,zzz,1,978300999\n", "items.csv": ITEMS},
        "log.csv: 1 of 3 item(s) are not in the table of items, and have no text but their id; the first is 'zzz'",
        "warning",
    ),
    Fault(
        "no item is in the table of items",
        {"log.csv": LOG, "items.csv": "item_id,title\n1.0,Alien\n"},
        "log.csv: no item of it is in the table of items (one is 'a' here, and one '1.0' there); expected the same ids",
    ),
    Fault(
        "users that the table of users lacks",
        {"log.csv": LOG, "users.csv": "user_id,age\nu1,30\n"},
        "log.csv: 1 of 2 user(s) are not in the table of users",
        "warning",
    ),
    Fault("an item twice in its table", {"log.csv": LOG, "items.csv": ITEMS + "a,Again\n"}, "items.csv:4: item 'a' is already on line 2"),
    Fault(
        "items without a title", {"log.csv": LOG, "items.csv": "item_id,title\na,\nb,B\n"}, "items.csv: 1 item(s) have no title", "warning"
    ),
    Fault(
        "a table of items without titles",
        {"log.csv": LOG, "items.csv": "item_id,price\na,1\nb,2\n"},
        "items.csv: no column holds titles",
        "warning",
    ),
    # --- times
    Fault("missing time", with_rows("u3,a,1,"), "log.csv:5: column 'timestamp': no time, expected a number such as 978300760"),
    Fault("a time that is none", with_rows("u3,a,1,soon"), "log.csv:5: column 'timestamp': 'soon' is no time, expected a number"),
    Fault("negative time", with_rows("u3,a,1,-5"), "log.csv:5: column 'timestamp': '-5' is before 1970"),
    Fault(
        "seconds and milliseconds mixed",
        with_rows("u3,a,1,978300760000"),
        "log.csv:5: column 'timestamp': '978300760000' is not in seconds, as the times of most rows are; expected one unit",
    ),
    Fault(
        "dates and numbers mixed",
        {"log.csv": "user_id,item_id,time\nu,a,2024-01-01 10:00:00\nu,b,2024-01-02 10:00:00\nv,a,978300760\n"},
        "log.csv:4: column 'time': '978300760' is no time, expected a date such as 2024-05-31 12:00:00",
    ),
    Fault(
        "dates in an unknown form",
        {"log.csv": "user_id,item_id,time\nu,a,May 3rd\nv,b,May 4th\n"},
        "column 'time': 'May 3rd' is neither a number nor",
    ),
    Fault(
        "times that are no unix times",
        log("u,a,1,5", "v,b,2,6"),
        "log.csv: the times in timestamp are no unix times (such as 5)",
        "warning",
    ),
    Fault("zero for a missing time", with_rows("u3,a,1,0"), "log.csv: 1 time(s) are before March 1973; are they missing ones?", "warning"),
    Fault(
        "the wrong unit of time",
        log("u,a,1,978300760000", "v,b,2,978300760000"),
        "log.csv: 2 time(s) are after the year 2100; is dataset.time_unit right?",
        "warning",
        {"time_unit": "s"},
    ),
    Fault(
        "time going backwards",
        with_rows("u2,b,1,978300000"),
        "log.csv: 1 row(s) are earlier than the row before of the same user",
        "warning",
    ),
    # --- feedback, duplicates
    Fault("a rating that is no number", with_rows("u3,a,good,978300760"), "log.csv:5: column 'rating': 'good' is not a finite number"),
    Fault("an infinite rating", with_rows("u3,a,inf,978300760"), "log.csv:5: column 'rating': 'inf' is not a finite number"),
    Fault(
        "NaN and empty ratings",
        with_rows("u3,a,NaN,978300990", "u3,b,,978300999"),
        "log.csv: rating is missing in 2 of 5 row(s), and NaN",
        "warning",
    ),
    Fault("no rating at all", log("u,a,,978300760", "v,b,,978300761"), "log.csv: rating is missing in all 2 row(s)", "warning"),
    Fault(
        "equal ratings throughout",
        log("u,a,5,978300760", "v,b,5,978300761"),
        "log.csv: rating is 5 in all 2 row(s), and says nothing",
        "warning",
    ),
    Fault("half stars", with_rows("u3,a,3.5,978300999"), "rating = rating", "read"),
    Fault(
        "feedback that holds no numbers",
        {"log.csv": "user_id,item_id,rating\nu,a,good\nv,b,bad\n"},
        "log.csv: column rating is named like feedback but holds no numbers, and is not used",
        "warning",
    ),
    Fault("duplicate rows", with_rows("u1,a,4,978300760"), "log.csv: 1 row(s) repeat another row entirely; they are kept", "warning"),
    # --- other formats
    Fault(
        "propensity of zero",
        {"log.csv": BANDIT + "u3,a,0,1,0\n"},
        "log.csv:4: column 'propensity': '0' is no probability of an item",
        dataset="bandit_log",
    ),
    Fault(
        "propensity above 1",
        {"log.csv": BANDIT + "u3,a,0,1,1.5\n"},
        "log.csv:4: column 'propensity': '1.5' is no probability",
        dataset="bandit_log",
    ),
    Fault(
        "missing propensity",
        {"log.csv": BANDIT + "u3,a,0,1,\n"},
        "log.csv:4: column 'propensity': '' is no probability",
        dataset="bandit_log",
    ),
    Fault("no propensities", {"log.csv": LOG}, "log.csv:1: no column looks like the propensity", dataset="bandit_log"),
    Fault("no reward", {"log.csv": "item_id,propensity\na,0.5\nb,0.5\n"}, "log.csv: no column looks like a reward", dataset="bandit_log"),
    Fault(
        "a bad place in the slate",
        {"log.csv": BANDIT + "u3,a,-1,1,0.5\n"},
        "log.csv:4: column 'position': '-1' is no place",
        dataset="bandit_log",
    ),
    Fault(
        "missing features of the context",
        {"log.csv": "item_id,click,propensity,context_0\na,1,0.5,1.5\nb,0,0.5,\n"},
        "log.csv: feature context_0 is missing or not finite in 1 row(s), and 0 there",
        "warning",
        dataset="bandit_log",
    ),
    Fault(
        "a user on two lines of sequences",
        {"log.txt": "u1 a b\nu2 a\nu1 b\n"},
        "log.txt:3: user 'u1' is already on line 1",
        dataset="sequences",
    ),
    Fault(
        "a user without items",
        {"log.txt": "u1 a b\nu2\n"},
        "log.txt: 1 user(s) have no item and are left out",
        "warning",
        dataset="sequences",
    ),
    Fault(
        "an empty place in a sequence", {"log.txt": "u1,a,,b\nu2,a,b\n"}, "log.txt:1: place 2 after the user is empty", dataset="sequences"
    ),
    Fault(
        "an atomic file without types",
        {"x.inter": "user_id\titem_id\nu\ta\n"},
        "x.inter:1: column 1 is called 'user_id', expected a name and a type, such as user_id:token",
        dataset="recbole_atomic",
    ),
    Fault(
        "a bad number in an atomic file",
        {"x.inter": "user_id:token\titem_id:token\nu\ta\n", "x.item": "item_id:token\ttitle:token_seq\tprice:float\na\tA B\tcheap\n"},
        "x.item:2: column 'price': 'cheap' is no number, as its type float says",
        dataset="recbole_atomic",
    ),
    Fault(
        "a short row of a knowledge graph",
        {
            "x.inter": "user_id:token\titem_id:token\nu\ta\n",
            "x.item": "item_id:token\ttitle:token_seq\na\tA B\n",
            "x.link": "item_id:token\tentity_id:token\na\te1\n",
            "x.kg": "head_id:token\trelation_id:token\ttail_id:token\ne1\tr\n",
        },
        "x.kg:2: 'e1\tr' is not 3 fields",
        dataset="recbole_atomic",
    ),
    Fault("a folder without atomic files", {"readme.txt": "x"}, "holds no .inter file, expected NAME.inter", dataset="recbole_atomic"),
]


def write(folder: Path, files: dict[str, Any]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def dataset_of(fault: Fault, folder: Path) -> Dataset:
    if fault.dataset == "recbole_atomic":
        return RecboleAtomic(RecboleAtomicConfig(path=str(folder)))
    paths = {name.partition(".")[0]: str(folder / name.partition("/")[0]) for name in fault.files}
    options = {"interactions": paths["log"], **{name: paths[name] for name in ("items", "users") if name in paths}, **fault.options}
    makers: dict[str, Callable[[], Dataset]] = {
        "table": lambda: Table(TableConfig(**options)),
        "bandit_log": lambda: BanditLog(BanditLogConfig(**options)),
        "sequences": lambda: SequenceLines(SequencesConfig(**options)),
    }
    return makers[fault.dataset]()


def outcome_of(fault: Fault, folder: Path) -> tuple[Data | None, list[tuple[int, str]]]:
    """What is loaded (None: it was refused), and the messages without the folder: the error, or what was logged with its level."""
    write(folder, fault.files)
    said: list[tuple[int, str]] = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append((record.levelno, record.getMessage()))
    logger = logging.getLogger("recframe_plugins.datasets")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    data = None
    try:
        data = dataset_of(fault, folder).load()
    except DataError as error:
        said = [(logging.ERROR, str(error))]
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    return data, [(number, text.replace(f"{folder}/", "").replace(str(folder), "FOLDER")) for number, text in said]


LEVELS = {"error": logging.ERROR, "warning": logging.WARNING, "read": logging.INFO}


def message_of(fault: Fault, said: list[tuple[int, str]]) -> str:
    """The message that the fault expects, whole; of malformed rows, the line of the first."""
    expected = fault.expected.replace("{}log", "log").replace("{}items", "items")
    found = [line for level, text in said if level == LEVELS[fault.outcome] for line in text.split("\n") if expected in line]
    return found[0].strip() if found else ""


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.kind.replace(" ", "_") for fault in FAULTS])
def test_a_bad_log_is_refused_with_its_place_or_read_with_a_warning(fault, tmp_path):
    data, said = outcome_of(fault, tmp_path)
    assert (data is None) == (fault.outcome == "error"), said
    assert message_of(fault, said), said
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert files == set(fault.files)


def test_every_kind_is_named_once():
    kinds = [fault.kind for fault in FAULTS]
    assert len(set(kinds)) == len(kinds) > 80


def row_of(fault: Fault) -> str:
    with tempfile.TemporaryDirectory() as folder:
        _, said = outcome_of(fault, Path(folder))
    message = message_of(fault, said).replace("|", "\\|").replace("\t", " ").replace("`", "'")
    happens = {"error": "refused", "warning": "read, with a warning", "read": "read"}[fault.outcome]
    where = "" if fault.dataset == "table" else f" (`{fault.dataset}`)"
    return f"| {fault.kind}{where} | {happens} | `{message}` |"


def test_the_table_of_the_documents_is_what_happens():
    written = [line for line in TABLE.read_text().splitlines() if line.startswith("| ")][1:]
    assert written == [row_of(fault) for fault in FAULTS]


def write_table() -> None:
    head = TABLE.read_text().partition("| kind |")[0]
    rows = "\n".join(row_of(fault) for fault in FAULTS)
    TABLE.write_text(f"{head}| kind | what happens | message |\n|---|---|---|\n{rows}\n")


if __name__ == "__main__":
    write_table()

"""A chat endpoint whose model is a function of the question: its quality is known, so that what measures it can be tested."""

import hashlib
import json
import re
import threading
from collections.abc import Callable
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOPIC = re.compile(r"likes (\w+)\.")
MARK = re.compile(r'"mark": "(\w+)"')
SHOWN = re.compile(r"^(\d+)\. (.+)$", re.MULTILINE)


class ScriptedChat(ThreadingHTTPServer):
    """Answers `answer(question)`; counts its requests. `status` other than 200 refuses all."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, answer: Callable[[str], str]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer = answer
        self.questions: list[str] = []
        self.status = 200

    @property
    def settings(self) -> dict:
        """The options of a `ChatConfig` that ask this endpoint."""
        return {"model": "scripted", "base_url": f"http://127.0.0.1:{self.server_port}/v1", "retries": 0, "ask_again": 0}


class Handler(BaseHTTPRequestHandler):
    server: ScriptedChat
    protocol_version = "HTTP/1.1"
    # an answer in one packet: in two, the second would wait for the client's acknowledgement
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        question = body["messages"][-1]["content"]
        self.server.questions.append(question)
        text = self.server.answer(question)
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        answer = {"choices": [choice], "usage": {"prompt_tokens": len(question) // 4, "completion_tokens": len(text) // 4}}
        content = json.dumps(answer).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args):
        pass


@contextmanager
def scripted_chat(answer: Callable[[str], str]):
    """A running endpoint."""
    server = ScriptedChat(answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def coin(text: str) -> bool:
    """A fair coin, the same for the same text."""
    return hashlib.sha256(text.encode()).digest()[0] % 2 == 0


def topic_of(question: str) -> str:
    """The topic that the toy person of a question likes."""
    return TOPIC.search(question)[1]


def slate_of(question: str) -> list[str]:
    """The items that a question shows, in order."""
    return [text for _, text in SHOWN.findall(question)]


def answering(likes: Callable[[str, int, str], bool], stays: bool = True, says: int | None = None) -> Callable[[str], str]:
    """A model that clicks on what it likes, by `likes(topic, place, item)`, and rates it 5 and else 1."""

    def answer(question: str) -> str:
        liked = [likes(topic_of(question), place, item) for place, item in enumerate(slate_of(question))]
        items = [{"click": like, "rating": 5 if like else 1} for like in liked]
        said = {} if says is None else {"says": says}
        return json.dumps({"mark": MARK.search(question)[1], "items": items, "stays": stays, **said})

    return answer


KNOWING = answering(lambda topic, place, item: topic in item.lower())
"""It clicks on what is about the person's topic."""
TOSSING = answering(lambda topic, place, item: coin(topic + item))
"""It tosses a coin for each person and item."""
AGREEABLE = answering(lambda topic, place, item: topic in item.lower() or coin(topic + item))
"""It also clicks on half of what people do not like: a yes-bias."""
HASTY = answering(lambda topic, place, item: topic in item.lower() or place == 0)
"""It also clicks on whatever is shown first: a position bias."""

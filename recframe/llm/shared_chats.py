"""The accesses to language models of this process: whatever has the same settings shares one, and with it one budget."""

from __future__ import annotations

from dataclasses import asdict
from weakref import WeakValueDictionary

from recframe.llm.chat import Chat
from recframe.llm.config import ChatConfig

_chats: WeakValueDictionary[str, Chat] = WeakValueDictionary()


def chat_for(config: ChatConfig, key: str) -> Chat:
    """The access with these settings under this key of the config, made when it is first asked for and kept as long as it is used."""
    name = f"{key} {sorted(asdict(config).items())}"
    if (chat := _chats.get(name)) is None:
        chat = _chats[name] = Chat(config, key)
    return chat

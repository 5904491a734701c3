"""A third-party plugin with a reward, for tests of what a run records of plugins."""

import pytest

QUICK = ["debug=smoke", "encoder=tfidf", "state_tracker=mean", "agent=random", "evaluation.references=false", "logger=[csv]"]
MOOD = """
    from dataclasses import dataclass
    from recframe.components import Component
    from recframe.hookspecs import hookimpl

    @dataclass
    class MoodConfig:
        '''The mood of the day.'''

    @hookimpl
    def recframe_register_components(register):
        register(Component("reward", "mood", MoodConfig, "mood_reward:Mood"))
"""
REWARD = """
    from recframe.interfaces import Reward

    class Mood(Reward):
        def __init__(self, config):
            {constructor}

        def __call__(self, transition, catalog):
            {call}
"""


@pytest.fixture
def with_mood(warm_recframe, plugin_site):
    """Installs the plugin `mood` 0.3, and returns the command line with it. `constructor` and `call` are the statements of its reward."""

    def install(constructor="pass", call="return transition.item_reward + 1.0", hooks=""):
        reward = REWARD.format(constructor=constructor, call=call)
        plugin_site.install("mood", MOOD + hooks, version="0.3", files={"mood_reward.py": reward})

        def recframe(command, *arguments, **options):
            words = [*QUICK, "reward=[click,mood]", *arguments] if command == "train" and "resume=run" not in arguments else arguments
            return warm_recframe(command, *words, site=plugin_site.folder, **options)

        return recframe

    return install

"""A thousand sessions of language users, played again from the answers that were kept: no call, and the same to the last byte."""

import time

import pytest

from tests.scripted_chat import TOSSING, answering, coin

PEOPLE, STEPS = 50, 4
TALKATIVE = answering(lambda topic, place, item: coin(topic + item), says=5)


def content_of(steps):
    """All that steps hold, as bytes."""
    tensors = []
    for step in steps:
        seen, response = step.observation, step.response
        tensors += [*(response.signals[name] for name in ("click", "rating")), response.leave, step.terminated, step.truncated]
        tensors += [seen.user, seen.history_items, seen.history_feedback, seen.context, seen.excluded]
    return b"".join(tensor.numpy().tobytes() for tensor in tensors)


@pytest.mark.parametrize("count", [100, pytest.param(1_000, marks=pytest.mark.evidence)])
def test_sessions_are_played_again_without_a_call_and_to_the_last_byte(make, sessions, endpoint, count):
    def played(**llm):
        environment = make(num_users=PEOPLE, slate_size=2, max_steps=STEPS, says=True, llm=llm)
        calls, start = environment.chat.usage.calls, time.process_time()
        steps = sessions(environment, steps=count // PEOPLE * STEPS)
        ended = sum(int((step.terminated | step.truncated).sum()) for step in steps)
        return content_of(steps), ended, environment.chat.usage.calls - calls, time.process_time() - start

    endpoint.answer = TALKATIVE
    first, ended, calls, seconds = played()
    assert ended >= count
    assert calls == len(endpoint.questions) > count
    # whoever asks is now told something else
    endpoint.answer = TOSSING
    second, _, again, shorter = played()
    assert (second == first, again) == (True, 0)
    # nor does it need an endpoint
    endpoint.status = 500
    third, _, alone, _ = played(replay="only")
    assert (third == first, alone) == (True, 0)
    assert len(endpoint.questions) == calls
    print(f"\n{ended} sessions, {calls} calls, {len(first):,} bytes; {seconds:.1f} s of the processor, and again {shorter:.1f} s")

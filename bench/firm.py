"""A firm of six: how long it takes when every call takes as long, measured through a real runner and litellm.

Three analysts at once and three roles one after another make four calls' time; six in a row would make six.
"""

import json
import os
import time
from dataclasses import replace
from statistics import median

CALL_S = 0.5
ROUNDS = 5
TIERS = ("desk", "analyst")


def main() -> None:
    from agents.core.calls import Message
    from agents.core.offline import offline_answer
    from tests.agents.provider import running_provider
    from tests.live.runners import asked, priced, running

    def slow(model: str):
        def words(body: dict) -> str:
            time.sleep(CALL_S)
            messages = [Message(role=line["role"], content=line["content"]) for line in body["messages"]]
            return offline_answer(model, messages, 2).text

        return words

    with running_provider() as provider:
        provider.says("desk", slow("offline/desk"))
        provider.says("analyst", slow("offline/analyst"))
        with running(OPENAI_API_KEY="none", MODEL_API_BASES=provider.url, MODEL_PRIVATE_HOSTS="127.0.0.1") as runner:
            times = []
            for _ in range(ROUNDS):
                parameters = {"api_base": provider.api_base, "analyst_model": "openai/analyst"}
                desk = priced("openai/desk", kind="firm", parameters=parameters)
                cards = [card.model_copy(update={"model": f"openai/{tier}"}) for card in desk.cards for tier in TIERS]
                question = replace(desk, cards=tuple(cards))
                started = time.perf_counter()
                answer = asked(runner.url, question)
                times.append(time.perf_counter() - started)
                assert len(answer.calls) == 6, [call.error_class for call in answer.calls]
                assert answer.deliberation["analysts_used"] >= 2
    took_s = median(times)
    print(f"a firm whose calls take {CALL_S} s each: {took_s:.2f} s, of which ours {took_s - 4 * CALL_S:.2f} s")
    print(
        json.dumps(
            {
                "name": "firm",
                "ours": {"elapsed_s": round(took_s, 3), "four_calls_s": 4 * CALL_S},
                "peers": {"six calls in a row": 6 * CALL_S},
                "ratio": {"six calls in a row": round(6 * CALL_S / took_s, 3)},
            }
        )
    )


if __name__ == "__main__":
    os.environ.setdefault("PYTHONPATH", os.getcwd())
    main()

"""An agent in plain Python: the same weight for every symbol. It needs no key, no package and no database.

    python docs/example_agent.py 8200
    RUNNER_URLS=even=http://127.0.0.1:8200 make demo

Then add an agent with the slug even in the admin, of any model such as own/even, and enter it in a season. What comes
in and what must go out stands in docs/runner.schema.json; the run token names the question and goes back as it came.
"""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def reply_to(brief: dict) -> dict:
    rules, symbols = brief["rules"], sorted(brief["market"]["symbols"])
    invested = min(1 - float(rules["min_cash"]), float(rules["max_turnover"]))
    share = min(float(rules["max_weight"]), invested / len(symbols))
    weights = dict.fromkeys(symbols, int(share * 1000) / 1000)  # rounded down, so that the cash is never short
    return {"action": "rebalance", "allocations": weights, "rationale": "I know nothing, so I own everything."}


class Agent(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.answer({"ok": True}, 200 if self.path == "/livez" else 404)

    def do_POST(self) -> None:
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/v1/decide":
            reply = json.dumps(reply_to(question["brief"]))
            self.answer({"run_token": question["run_token"], "reply": reply}, 200)
        else:
            self.answer({"error": "There is only /v1/decide."}, 404)

    def log_message(self, *about: object) -> None:
        """Say nothing of every request."""

    def answer(self, content: dict, status: int) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    port = int(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("PORT", "8200"))
    ThreadingHTTPServer(("", port), Agent).serve_forever()

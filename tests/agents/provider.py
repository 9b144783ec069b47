"""A model provider on loopback, over real HTTP, that does what it is told: well, badly or not at all.

The behaviour is chosen by the model's name: a call to `openai/rate_limited` at `provider.api_base` is rate limited, and
`openai/valid` answered. `provider.says("mine", ...)` gives `openai/mine` words of its own, `provider.acts("mine",
"rate_limited", "valid")` a behaviour for each request in turn, the last one for all that follow. What was asked is in
`provider.requests`. It speaks OpenAI's dialect, and enough of Anthropic's, Gemini's and Ollama's for one answer.
"""

import json
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

VALID_TEXT = '{"action": "hold", "rationale": "Nothing has changed."}'
USAGE = {
    "prompt_tokens": 10,
    "completion_tokens": 8,
    "total_tokens": 18,
    "completion_tokens_details": {"reasoning_tokens": 3},
    "prompt_tokens_details": {"cached_tokens": 4},
}
TEN_MB = 10 * 1024 * 1024
REQUEST_ID = "req-7"
RETURNED_MODEL = "valid-2026-01-31"


@dataclass(frozen=True)
class Received:
    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def key(self) -> str:
        return self.headers.get("authorization", "").removeprefix("Bearer ") or self.headers.get("x-api-key", "")


Words = str | Callable[[dict[str, Any]], str]
Behaviour = Callable[["Line", Received], None]


@dataclass
class Provider:
    """Where the provider is, what it was asked, and what it shall say or do."""

    port: int
    requests: list[Received] = field(default_factory=list)
    words: dict[str, Words] = field(default_factory=dict)
    acts_left: dict[str, list[str]] = field(default_factory=dict)
    end: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def api_base(self) -> str:
        return f"{self.url}/v1"

    def says(self, model: str, words: Words) -> None:
        self.words[model] = words

    def acts(self, model: str, *behaviours: str) -> None:
        self.acts_left[model] = list(behaviours)

    def behaviour_for(self, model: str) -> Behaviour:
        left = self.acts_left.get(model)
        name = (left.pop(0) if len(left) > 1 else left[0]) if left else model
        return BEHAVIOURS.get(name, valid)


class Line(BaseHTTPRequestHandler):
    """One connection of a caller."""

    provider: Provider
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers.get("content-length", 0)))
        body = json.loads(data or b"{}")
        received = Received(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
        self.provider.requests.append(received)
        model = body.get("model") or re.sub(r".*/models/|:\w+$", "", self.path)  # Gemini's stands in the path
        try:
            self.provider.behaviour_for(str(model))(self, received)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the caller hung up, as it may

    do_GET = do_POST  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Silent: what comes out of a test is the test's."""

    def send(self, status: int, data: bytes, **headers: str) -> None:
        self.send_response(status)
        named = {"content_type": "application/json", "content_length": str(len(data)), **headers}
        for name, value in named.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def answer(self, body: object, status: int = 200, **headers: str) -> None:
        self.send(status, json.dumps(body).encode(), x_request_id=REQUEST_ID, **headers)

    def hang_up(self) -> None:
        """Reset the connection instead of closing it."""
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True


def completion(text: str | None, finish: str = "stop", **more: Any) -> dict[str, Any]:
    """An answer in OpenAI's dialect."""
    message = {"role": "assistant", "content": text, **more.pop("message", {})}
    choice = {"index": 0, "finish_reason": finish, "message": message}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_767_225_600,
        "model": RETURNED_MODEL,
        "choices": [choice],
        "usage": USAGE,
        **more,
    }


def in_dialect(received: Received, text: str, finish: str | None = None) -> dict[str, Any]:
    """An answer for whoever the caller takes this provider to be: a good one, or one that ended as `finish` says."""
    if received.path.endswith("/messages"):
        usage = {"input_tokens": 10, "output_tokens": 8, "cache_read_input_tokens": 4}
        content = [{"type": "text", "text": text}]
        head = {"id": "msg_1", "type": "message", "role": "assistant", "model": RETURNED_MODEL}
        return {**head, "content": content, "stop_reason": finish or "end_turn", "usage": usage}
    if ":generateContent" in received.path:
        counts = {"promptTokenCount": 10, "candidatesTokenCount": 5, "thoughtsTokenCount": 3, "totalTokenCount": 18}
        parts = {"role": "model", "parts": [{"text": text}]}
        candidate = {"content": parts, "finishReason": finish or "STOP", "index": 0}
        return {"candidates": [candidate], "usageMetadata": counts, "modelVersion": RETURNED_MODEL, "responseId": "g1"}
    if "/api/" in received.path:
        counts = {"prompt_eval_count": 10, "eval_count": 8, "done": True, "done_reason": finish or "stop"}
        said = {"message": {"role": "assistant", "content": text}} if received.path.endswith("chat") else {}
        return {"model": RETURNED_MODEL, "created_at": "2026-01-31T00:00:00Z", "response": text, **said, **counts}
    return completion(text, finish or "stop")


def ending(finish: str) -> Behaviour:
    """A valid text under an ending of its own, in the caller's dialect."""
    return lambda line, received: line.answer(in_dialect(received, VALID_TEXT, finish))


def without_ending(line: Line, received: Received) -> None:
    """A valid text that does not say how it ended, in the caller's dialect."""
    body = in_dialect(received, VALID_TEXT)
    for place, name in ((body, "stop_reason"), (body, "done_reason"), (body, "done")):
        place.pop(name, None)
    for alternative in (*body.get("choices", ()), *body.get("candidates", ())):
        for name in ("finish_reason", "finishReason"):
            alternative.pop(name, None)
    line.answer(body)


def broken_off(line: Line, received: Received) -> None:
    """A valid text with an error beside it, as a gateway gives whose provider died on the way."""
    body = completion(VALID_TEXT)
    body["choices"][0]["error"] = {"code": 502, "message": f"gone (key {received.key})"}
    line.answer(body)


def valid(line: Line, received: Received) -> None:
    words = line.provider.words.get(str(received.body.get("model", "")), VALID_TEXT)
    line.answer(in_dialect(received, words if isinstance(words, str) else words(received.body)))


def saying(text: str | None, finish: str = "stop", **more: Any) -> Behaviour:
    return lambda line, received: line.answer(completion(text, finish, **more))


def failing(status: int, message: str, code: str | None = None, **headers: str) -> Behaviour:
    """An error that quotes the caller's key, as providers do."""

    def behaviour(line: Line, received: Received) -> None:
        line.answer({"error": {"message": f"{message} (key {received.key})", "code": code}}, status, **headers)

    return behaviour


def raw(data: bytes, content_type: str = "application/json", status: int = 200) -> Behaviour:
    return lambda line, received: line.send(status, data, content_type=content_type)


def hang(line: Line, received: Received) -> None:
    line.provider.end.wait()


def _head(line: Line, length: int) -> None:
    line.send_response(200)
    line.send_header("content-type", "application/json")
    line.send_header("content-length", str(length))
    line.end_headers()


def reset(line: Line, received: Received) -> None:
    _head(line, 1_000)
    line.wfile.write(b'{"choices": [{"mess')
    line.hang_up()


def drip(line: Line, received: Received) -> None:
    _head(line, 1_000)
    for _ in range(1_000):
        line.wfile.write(b" ")
        line.wfile.flush()
        if line.provider.end.wait(0.05):
            return


def huge_chunked(line: Line, received: Received) -> None:
    """Ten megabytes that do not say beforehand how many they are."""
    line.send_response(200)
    line.send_header("content-type", "application/json")
    line.send_header("transfer-encoding", "chunked")
    line.end_headers()
    for _ in range(TEN_MB // 65_536):
        line.wfile.write(b"10000\r\n" + b" " * 65_536 + b"\r\n")
    line.wfile.write(b"0\r\n\r\n")


def redirect(line: Line, received: Received) -> None:
    line.send(307, b"", location=f"{line.provider.url}/elsewhere?key={received.key}")


def bomb(line: Line, received: Received) -> None:
    """A small body that says it is a large one, packed."""
    line.send(200, b"\x1f\x8b" + b"\0" * 100, content_encoding="gzip")


def no_http(line: Line, received: Received) -> None:
    line.wfile.write(b"\x00\xff garbage, not HTTP\r\n\r\n")
    line.close_connection = True


def without_usage(line: Line, received: Received) -> None:
    body = completion(VALID_TEXT)
    del body["usage"]
    line.answer(body)


def echo(line: Line, received: Received) -> None:
    """An answer with the caller's key in every part of it."""
    key = received.key
    usage = {**USAGE, "note": key}
    line.send(
        200, json.dumps(completion(f"Your key: {key}", model=key, id=key, usage=usage)).encode(), x_request_id=key
    )


def counting(**usage: Any) -> Behaviour:
    return saying(VALID_TEXT, usage={**USAGE, **usage})


# By words of several providers for an answer that is not whole, and one that nobody has heard of.
ENDINGS = (
    *("length", "max_tokens", "MAX_TOKENS", "model_length", "content_filter", "SAFETY", "refusal", "pause_turn"),
    *("error", "network_error", "MALFORMED_RESPONSE", "insufficient_system_resource", "tool_calls", "tool_use", "sigh"),
)

BEHAVIOURS: dict[str, Behaviour] = {
    "valid": valid,
    "fenced": saying(f"Here it is:\n```json\n{VALID_TEXT}\n```"),
    "thinking": saying(f"<think>Let me see.</think>{VALID_TEXT}"),
    "refusal": saying(None, message={"refusal": "I can't help with that."}),
    "filtered": saying("", "content_filter"),
    "empty": saying(""),
    "no_choices": saying(None, choices=[]),
    **{f"ends_{finish}": ending(finish) for finish in ENDINGS},
    "ends_not": without_ending,
    "broken_off": broken_off,
    "broken_off_429": lambda line, received: line.answer({**completion(VALID_TEXT), "error": {"code": 429}}),
    "truncated": saying(VALID_TEXT[:20], "length"),
    "nan": saying('{"action": "rebalance", "allocations": {"BTCUSDT": NaN}}'),
    "other_model": saying(VALID_TEXT, model="somebody-else"),
    "usage_missing": without_usage,
    "usage_negative": counting(completion_tokens=-5),
    "usage_absurd": counting(prompt_tokens=2_000_000_000),
    "usage_reasoning_absurd": counting(completion_tokens_details={"reasoning_tokens": 9_000}),
    "usage_nan": counting(prompt_tokens=float("nan")),
    "usage_text": counting(prompt_tokens="many"),
    "usage_list": saying(VALID_TEXT, usage=[1, 2]),
    "usage_huge": counting(note="x" * 10_000),
    "echo": echo,
    "bad_request": failing(400, "What is this?"),
    "unprocessable": failing(422, "Extra inputs are not permitted"),
    "context": failing(400, "This model's maximum context length is 10 tokens.", "context_length_exceeded"),
    "policy": failing(400, "Rejected by our content management policy.", "content_policy_violation"),
    "key_refused": failing(401, "Incorrect API key provided"),
    "no_credit": failing(402, "Insufficient credits"),
    "model_unknown": failing(404, "The model does not exist", "model_not_found"),
    "rate_limited": failing(429, "Slow down", retry_after="7"),
    "rate_limited_until": failing(429, "Slow down", retry_after="Wed, 01 Jan 2200 00:00:00 GMT"),
    "server_error": failing(500, "Oh no"),
    "overloaded": failing(529, "Overloaded"),
    "error_in_words": lambda line, received: line.answer({"error": f"something is wrong with {received.key}"}),
    "error_502_under_200": lambda line, received: line.answer({"error": {"code": "502"}, "usage": USAGE}),
    "error_under_200": lambda line, received: line.answer({"error": {"code": 429, "message": received.key}}),
    "redirect": redirect,
    "hang": hang,
    "reset": reset,
    "drip": drip,
    "ten_mb": raw(b" " * TEN_MB),
    "ten_mb_chunked": huge_chunked,
    "bomb": bomb,
    "html": raw(b"<html>Welcome to the hotel network</html>", "text/html"),
    "deep": raw(b'{"choices":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "binary": raw(bytes(range(256)) * 8, "application/octet-stream"),
    "json_text": raw(b'"hello"'),
    "no_content": raw(b"", status=204),
    "no_http": no_http,
}


@contextmanager
def running_provider() -> Iterator[Provider]:
    """A provider that answers until the block ends."""
    line = type("LineOfOne", (Line,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), line)
    server.daemon_threads = True
    provider = Provider(server.server_port)
    line.provider = provider
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        provider.end.set()
        server.shutdown()
        server.server_close()
        thread.join(10)

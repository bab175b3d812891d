#!/usr/bin/env python3
"""A fake LLM provider for tests: OpenAI, Anthropic and Gemini wire formats on loopback.

It generates no language.  It answers every request with a well-formed response whose
token usage is a pure function of the request (plus, for prompt caching, of the requests
seen since the last reset), and it keeps a *ledger*: one record per HTTP call, saying what
a real provider would have billed.  Tests compare what telemetry claims with the ledger.

Run it
------
    python -m tests.fake_provider --port 4010            # or --port 0 --port-file port.txt

    OPENAI_BASE_URL=http://127.0.0.1:4010/v1        OPENAI_API_KEY=anything
    ANTHROPIC_BASE_URL=http://127.0.0.1:4010        ANTHROPIC_API_KEY=anything
    Gemini: http_options={"base_url": "http://127.0.0.1:4010"}

or from Python:

    with FakeProvider() as fake:
        client = openai.OpenAI(base_url=fake.openai_url, api_key="x")
        ...
        fake.calls()      # the ledger
        fake.reset()      # empty ledger, cold prompt cache, retry counters back to zero

Endpoints
---------
    POST /v1/chat/completions                       OpenAI chat (n>1, tools, streaming)
    POST /v1/responses                              OpenAI responses (streaming)
    POST /v1/completions                            OpenAI legacy text completions
    POST /v1/embeddings                             OpenAI embeddings (float or base64)
    GET  /v1/models
    POST /v1/messages                               Anthropic messages (streaming)
    POST /v1/messages/count_tokens                  free, never in the ledger
    POST /v1beta/models/{m}:generateContent         Gemini (also :streamGenerateContent,
         :embedContent, :batchEmbedContents, :countTokens; /v1/ and /v1beta1/ work too)
    GET  /v1/organization/costs, /v1/organization/usage/completions            bills of OpenAI (admin key: sk-admin-…)
    GET  /v1/organizations/cost_report, /v1/organizations/usage_report/messages     of Anthropic (sk-ant-admin-…)
    GET  /_fake/calls     POST /_fake/reset     GET /_fake/health     POST /_fake/plant

    A call is billed at the time of its header `x-fake-time` (ISO 8601; default now), to the account of `openai-project`
    or `x-fake-workspace`. `fake_bills.py` makes bills of the ledger, and says what can be planted in them.

Token arithmetic (tokens(s) = ceil(len(s) / 4))
-----------------------------------------------
    input  = sum of tokens() over every text, tool schema and tool result in the request,
             plus 4 per message and 3 per request; embeddings: only the texts
    output = tokens() of the generated text or tool-call arguments, summed over choices,
             plus reasoning tokens
    reasoning models (o*, gpt-5*, gpt-6*, or Anthropic `thinking`, or Gemini with a
             thinkingBudget/thinkingLevel) spend 64..512 reasoning tokens (a multiple of
             64, from the request's hash); `reasoning=0` turns that off
    Wire conventions follow the real APIs, which disagree with one another:
      OpenAI    prompt_tokens/input_tokens INCLUDE cached; completion_tokens INCLUDE reasoning
      Anthropic input_tokens EXCLUDES cache reads and cache writes; output_tokens INCLUDES thinking
      Gemini    promptTokenCount INCLUDES cached; candidatesTokenCount EXCLUDES thoughts
    The ledger always holds inclusive totals: input_tokens_total, output_tokens_total.

Prompt caching
--------------
    OpenAI    automatic: a prompt of >=1024 tokens that shares a prefix of >=1024 tokens with
              an earlier request to the same model reads floor(prefix/128)*128 tokens.
              gpt-5.6 and later also report (and bill) cache_write_tokens.
    Anthropic only with `cache_control`: the prefix up to the last breakpoint (>=1024 tokens)
              is written the first time (5m, or 1h with ttl="1h") and read afterwards.
    Gemini    implicit, as OpenAI, without writes.

Directives
----------
Any text in the request may hold `[[key=value key=value ...]]`; later ones win.
    in=N            total input tokens (including cache)
    out=N           visible output tokens of each choice
    reasoning=N     reasoning / thinking / thoughts tokens
    cached=N        cache-read tokens           (subset of the input total)
    cache_write=N   cache-write tokens, 5m      (subset of the input total)
    cache_write_1h=N  the same with a 1 h lifetime
    audio_in=N audio_out=N   audio tokens (OpenAI chat; subsets of the totals)
    tool=a,b        answer with a call of tools a and b, once: a request whose last message
                    is a tool result gets text
    stop=length     finish reason "ran out of tokens"
    error=429       fail with this HTTP status (400, 401, 404, 429, 500, 503, 529, ...)
    fail=429:2      fail the first 2 requests with this very prompt (any model), then succeed
    ttft=80 gap=5   milliseconds before the first chunk / between chunks
    drop=3          streaming: cut the connection after 3 content chunks; what was sent is billed
    tier=priority   service tier to report

The ledger
----------
    provider            openai | anthropic | gemini
    operation           chat | text_completion | embeddings | generate_content
    api                 chat_completions | responses | completions | embeddings | messages |
                        generate_content | embed_content
    request_model, response_model, response_id, streaming, choices_requested, service_tier
    input_tokens_total, cache_read_tokens, cache_write_tokens (= _5m + _1h or OpenAI writes),
    cache_write_5m_tokens, cache_write_1h_tokens, audio_input_tokens
    output_tokens_total, reasoning_tokens, audio_output_tokens
    finish_reasons      as spelt on the wire, one per choice
    tool_calls          names of tools called, all choices
    error               null, or {"status": 429, "type": "rate_limit_error"}
    usage_on_wire       the usage object the client was sent, null if it was sent none
                        (an error; an OpenAI stream without stream_options.include_usage)
    stream_completed    false when the stream was cut
    http_status
    served_at, account  when, and for which project or workspace
Failed calls are in the ledger with zero tokens.  Standard library only.  Loopback only.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import hashlib
import json
import math
import re
import struct
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from tests import fake_bills

__all__ = ["FakeProvider", "tokens"]

# Aliases a provider resolves to a dated snapshot; any other model answers under its own name.
SNAPSHOTS = {
    "gpt-4o": "gpt-4o-2024-08-06",
    "gpt-4o-mini": "gpt-4o-mini-2024-07-18",
    "gpt-4.1": "gpt-4.1-2025-04-14",
    "gpt-4.1-mini": "gpt-4.1-mini-2025-04-14",
    "o3": "o3-2025-04-16",
    "o3-mini": "o3-mini-2025-01-31",
    "o4-mini": "o4-mini-2025-04-16",
    "gpt-5": "gpt-5-2025-08-07",
    "gpt-5-mini": "gpt-5-mini-2025-08-07",
    "gpt-5-nano": "gpt-5-nano-2025-08-07",
    "gpt-5.1": "gpt-5.1-2025-11-13",
    "gpt-5.2": "gpt-5.2-2025-12-11",
    "gpt-5.4-mini": "gpt-5.4-mini-2026-03-17",
    "gpt-5.5": "gpt-5.5-2026-04-23",
    "claude-haiku-4-5": "claude-haiku-4-5-20251001",
    "claude-sonnet-4-5": "claude-sonnet-4-5-20250929",
    "claude-opus-4-5": "claude-opus-4-5-20251101",
}
REASONING_MODEL = re.compile(r"^(o\d|gpt-[56])")
CACHE_WRITE_BILLED = re.compile(r"^gpt-(5\.([6-9]|\d\d)|[6-9])")  # gpt-5.6 and later
CACHE_MINIMUM, CACHE_STEP = 1024, 128

BILLS = {
    "/v1/organization/costs": ("openai", fake_bills.openai_costs),
    "/v1/organization/usage/completions": ("openai", fake_bills.openai_usage),
    "/v1/organizations/cost_report": ("anthropic", fake_bills.anthropic_costs),
    "/v1/organizations/usage_report/messages": ("anthropic", fake_bills.anthropic_usage),
}


OPENAI_ERRORS = {
    400: "invalid_request_error",
    401: "invalid_request_error",
    403: "permission_error",
    404: "invalid_request_error",
    429: "rate_limit_error",
    500: "server_error",
    503: "server_error",
}
ANTHROPIC_ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}
GEMINI_ERRORS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}
WORDS = [
    "amber",
    "basin",
    "cedar",
    "delta",
    "ember",
    "fjord",
    "grove",
    "harbor",
    "island",
    "jasmine",
    "kernel",
    "lantern",
    "meadow",
    "nectar",
    "orchard",
    "pebble",
    "quartz",
    "river",
    "summit",
    "timber",
    "upland",
    "valley",
    "willow",
    "yonder",
    "zephyr",
]


def tokens(text: str) -> int:
    """The fake tokenizer: one token per started group of four characters."""
    return math.ceil(len(text) / 4)


def _digest(value) -> bytes:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).digest()


def _texts(node, skip=("data", "image_url", "url", "signature")):
    """Every piece of text in a JSON value, in document order."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, list):
        for item in node:
            yield from _texts(item, skip)
    elif isinstance(node, dict):
        for key, item in node.items():
            if key not in skip:
                yield from _texts(item, skip)


def _directives(text: str) -> dict:
    found = {}
    for group in re.findall(r"\[\[(.*?)\]\]", text, re.S):
        for part in group.split():
            key, eq, value = part.partition("=")
            if eq:
                found[key] = value
    return found


def _prose(seed: bytes, count: int) -> str:
    """Deterministic text of exactly `count` fake tokens."""
    size, out, i = count * 4, "", 0
    while len(out) < size:
        out += WORDS[seed[i % len(seed)] % len(WORDS)] + " "
        i += 1
    return out[: size - 1] + "." if size else ""


def _sample(schema, depth=0):
    """A small value that satisfies the common parts of a JSON schema."""
    if not isinstance(schema, dict) or depth > 8:
        return "x"
    if "$ref" in schema or not schema:
        return "x"
    if schema.get("enum"):
        return schema["enum"][0]
    if "const" in schema:
        return schema["const"]
    for key in ("anyOf", "oneOf", "allOf"):
        if schema.get(key):
            return _sample(schema[key][0], depth + 1)
    kind = schema.get("type")
    kind = (kind[0] if isinstance(kind, list) else kind or "object").lower()
    if kind == "object":
        props = schema.get("properties") or {}
        return {k: _sample(v, depth + 1) for k, v in props.items()}
    if kind == "array":
        return [_sample(schema.get("items") or {}, depth + 1)]
    return {"integer": 7, "number": 7.5, "boolean": True, "null": None}.get(kind, "Paris")


class Plan:
    """What one request will be answered with: usage, choices and misbehaviour."""

    def __init__(self, model, prompt, directives, body):
        self.model, self.prompt, self.body = model, prompt, body
        self.d = directives
        self.seed = _digest(body)
        self.input = self.cached = self.write_5m = self.write_1h = 0
        self.reasoning = self.audio_in = self.audio_out = 0
        self.choices = []  # of Choice

    def num(self, key, default=None):
        try:
            return int(self.d[key])
        except (KeyError, ValueError):
            return default

    @property
    def response_model(self):
        return SNAPSHOTS.get(self.model, self.model)

    @property
    def write(self):
        return self.write_5m + self.write_1h

    @property
    def visible(self):
        return sum(c.tokens for c in self.choices)

    @property
    def output(self):
        return self.visible + self.reasoning


class Choice:
    def __init__(self, text="", calls=(), finish="stop"):
        self.text, self.calls, self.finish = text, list(calls), finish

    @property
    def tokens(self):
        return tokens(self.text) + sum(tokens(c["name"] + c["arguments"]) for c in self.calls)

    def chunks(self, size=16):
        return [self.text[i : i + size] for i in range(0, len(self.text), size)]


class State:
    """The ledger, the prompt cache and the retry counters; shared by all connections."""

    def __init__(self):
        self.lock = threading.Lock()
        self.reset()
        self.planted = fake_bills.Planted()

    def reset(self):
        with self.lock:
            self.ledger, self.prompts, self.blocks, self.attempts, self.seq = [], {}, {}, {}, 0

    def next_id(self, plan, prefix):
        with self.lock:
            self.seq += 1
            return f"{prefix}{plan.seed.hex()[:16]}{self.seq:04d}"

    def auto_cache(self, family, plan):
        """Prefix caching without markers: tokens read from the cache for this prompt."""
        with self.lock:
            seen = self.prompts.setdefault((family, plan.model), [])
            best = 0
            for old in seen:
                n = 0
                for a, b in zip(old, plan.prompt, strict=False):
                    if a != b:
                        break
                    n += 1
                best = max(best, n // 4)
            seen.append(plan.prompt)
            del seen[:-64]
        if plan.input < CACHE_MINIMUM or best < CACHE_MINIMUM:
            return 0
        return min(best, plan.input) // CACHE_STEP * CACHE_STEP

    def marked_cache(self, model, prefix):
        """Marked caching: was this prefix written before?  (It is now.)"""
        key = (model, _digest(prefix))
        with self.lock:
            seen = key in self.blocks
            self.blocks[key] = True
        return seen

    def attempt(self, plan):
        with self.lock:
            n = self.attempts[plan.prompt] = self.attempts.get(plan.prompt, 0) + 1
        return n

    def record(self, entry):
        with self.lock:
            entry = {"seq": len(self.ledger) + 1, **entry}
            self.ledger.append(entry)
        return entry


class Cut(Exception):
    """The stream is to be cut here."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "fake-provider"
    state: State = None  # set by FakeProvider

    # ---- plumbing -------------------------------------------------------------------

    def log_message(self, *args):
        if self.server.verbose:
            super().log_message(*args)

    def _json(self, status, payload, headers=()):
        data = json.dumps(payload).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.send_header("x-request-id", "req_fake")
        self.send_header("request-id", "req_fake")
        for key, value in headers:
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(data)

    def _open_stream(self):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.send_header("x-request-id", "req_fake")
        self.end_headers()

    def _sse(self, payload, event=None):
        if not isinstance(payload, str):
            payload = json.dumps(payload)
        data = (f"event: {event}\n" if event else "") + f"data: {payload}\n\n"
        raw = data.encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(raw), raw))
        self.wfile.flush()

    def _close_stream(self):
        self.wfile.write(b"0\r\n\r\n")

    def _pause(self, plan, key, default):
        delay = plan.num(key, default)
        if delay:
            time.sleep(delay / 1000)

    def _body(self):
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            raw = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                raw += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        return json.loads(raw or b"{}")

    # ---- routing --------------------------------------------------------------------

    def do_GET(self):
        path = self.path.split("?")[0]
        if path == "/_fake/calls":
            with self.state.lock:
                self._json(200, {"calls": list(self.state.ledger)})
        elif path == "/_fake/health":
            self._json(200, {"ok": True})
        elif path in BILLS:
            self._bill(path)
        elif path == "/v1/models":
            data = [{"id": m, "object": "model", "created": 0, "owned_by": "fake"} for m in SNAPSHOTS]
            self._json(200, {"object": "list", "data": data})
        else:
            self._json(404, {"error": {"message": "no such path", "type": "invalid_request_error"}})

    def _bill(self, path):
        provider, results = BILLS[path]
        key = self.headers.get("x-api-key") or self.headers.get("authorization", "").removeprefix("Bearer ")
        if not key.startswith("sk-ant-admin" if provider == "anthropic" else "sk-admin"):
            return self._json(401, {"error": {"message": "an admin key is needed", "type": "authentication_error"}})
        with self.state.lock:
            found = list(fake_bills.items(self.state.ledger, provider, self.state.planted))
        query = parse_qs(urlsplit(self.path).query)
        return self._json(200, fake_bills.page(found, results, query, unix=provider == "openai"))

    def do_POST(self):
        path = self.path.split("?")[0]
        try:
            body = self._body()
        except ValueError:
            return self._json(400, {"error": {"message": "bad JSON", "type": "invalid_request_error"}})
        if path == "/_fake/reset":
            self.state.reset()
            return self._json(200, {"ok": True})
        if path == "/_fake/plant":
            self.state.planted = fake_bills.Planted(**body)
            return self._json(200, {"ok": True})
        gemini = re.match(r"^/v1[a-z0-9]*/(?:.*/)?models/([^:/]+):(\w+)$", path)
        routes = {
            "/v1/chat/completions": self.openai_chat,
            "/v1/responses": self.openai_responses,
            "/v1/completions": self.openai_completions,
            "/v1/embeddings": self.openai_embeddings,
            "/v1/messages": self.anthropic_messages,
            "/v1/messages/count_tokens": self.anthropic_count,
        }
        try:
            if path in routes:
                routes[path](body)
            elif gemini:
                self.gemini(gemini.group(1), gemini.group(2), body)
            else:
                self._json(404, {"error": {"message": "no such path", "type": "invalid_request_error"}})
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    # ---- planning -------------------------------------------------------------------

    def _plan(
        self, model, body, parts, tool_result_last=False, tools=None, schema=None, n=1, max_tokens=None, thinking=False
    ):
        """`parts` is the billable prompt, one string per message or tool schema."""
        prompt = "\n".join(parts)
        plan = Plan(model, prompt, _directives(prompt), body)
        plan.input = plan.num("in", 3 + sum(4 + tokens(p) for p in parts))
        finish = "length" if plan.d.get("stop") == "length" else "stop"
        wanted = [t for t in plan.d.get("tool", "").split(",") if t]
        for i in range(n):
            seed = hashlib.sha256(plan.seed + bytes([i])).digest()
            if wanted and not tool_result_last:
                calls = []
                for j, name in enumerate(wanted):
                    given = _sample((tools or {}).get(name) or {"type": "object"})
                    arguments = json.dumps(given if isinstance(given, dict) else {})
                    calls.append({"name": name, "arguments": arguments, "id": f"{seed.hex()[:20]}{j:02d}"})
                plan.choices.append(Choice(calls=calls, finish="tool_calls"))
            elif schema is not None:
                plan.choices.append(Choice(json.dumps(_sample(schema)), finish=finish))
            else:
                size, why = plan.num("out", 12 + seed[0] % 48), finish
                if max_tokens is not None and size > max_tokens:
                    size, why = max_tokens, "length"
                plan.choices.append(Choice(_prose(seed, size), finish=why))
        if thinking or REASONING_MODEL.match(model):
            plan.reasoning = 64 * (1 + plan.seed[1] % 8)
        plan.reasoning = plan.num("reasoning", plan.reasoning)
        plan.audio_in, plan.audio_out = plan.num("audio_in", 0), plan.num("audio_out", 0)
        return plan

    def _set_cache(self, plan, read, write_5m=0, write_1h=0):
        plan.cached = min(plan.num("cached", read), plan.input)
        room = plan.input - plan.cached
        plan.write_5m = min(plan.num("cache_write", write_5m), room)
        plan.write_1h = min(plan.num("cache_write_1h", write_1h), room - plan.write_5m)

    def _record(
        self,
        plan,
        provider,
        operation,
        api,
        stream,
        finish=(),
        response_id=None,
        usage=None,
        error=None,
        status=200,
        completed=True,
        n=1,
        billed_output=None,
    ):
        ok = error is None
        out = plan.output if billed_output is None else billed_output
        self.state.record(
            {
                "provider": provider,
                "operation": operation,
                "api": api,
                "request_model": plan.model,
                "response_model": plan.response_model if ok else None,
                "response_id": response_id,
                "streaming": bool(stream),
                "choices_requested": n,
                "service_tier": plan.d.get("tier"),
                "input_tokens_total": plan.input if ok else 0,
                "cache_read_tokens": plan.cached if ok else 0,
                "cache_write_tokens": plan.write if ok else 0,
                "cache_write_5m_tokens": plan.write_5m if ok and provider == "anthropic" else 0,
                "cache_write_1h_tokens": plan.write_1h if ok and provider == "anthropic" else 0,
                "audio_input_tokens": plan.audio_in if ok else 0,
                "output_tokens_total": out if ok else 0,
                "reasoning_tokens": min(plan.reasoning, out) if ok else 0,
                "audio_output_tokens": plan.audio_out if ok else 0,
                "finish_reasons": list(finish) if ok else [],
                "tool_calls": [c["name"] for ch in plan.choices for c in ch.calls] if ok else [],
                "error": error,
                "usage_on_wire": usage,
                "stream_completed": completed if ok else None,
                "http_status": status,
                "served_at": self.headers.get("x-fake-time") or datetime.now(UTC).isoformat(),
                "account": self.headers.get("openai-project") or self.headers.get("x-fake-workspace"),
            }
        )

    def _failed(self, plan, provider, operation, api, stream, n=1):
        """Answer with an error if the request asks for one; True when it did."""
        status, after = plan.num("error"), []
        if "fail" in plan.d:
            code, _, times = plan.d["fail"].partition(":")
            if self.state.attempt(plan) <= int(times or 1):
                status = int(code)
        if not status:
            return False
        if provider == "openai":
            kind = OPENAI_ERRORS.get(status, "server_error" if status >= 500 else "invalid_request_error")
            code = {429: "rate_limit_exceeded", 401: "invalid_api_key", 404: "model_not_found"}.get(status)
            payload = {"error": {"message": f"fake {kind}", "type": kind, "param": None, "code": code}}
        elif provider == "anthropic":
            kind = ANTHROPIC_ERRORS.get(status, "api_error")
            payload = {"type": "error", "error": {"type": kind, "message": f"fake {kind}"}, "request_id": "req_fake"}
        else:
            kind = GEMINI_ERRORS.get(status, "UNKNOWN")
            payload = {"error": {"code": status, "message": f"fake {kind}", "status": kind}}
        if status == 429:
            after = [("retry-after", "0"), ("retry-after-ms", "10")]
        self._record(plan, provider, operation, api, stream, status=status, n=n, error={"status": status, "type": kind})
        self._json(status, payload, after)
        return True

    def _stream(self, plan, send, done):
        """Run `send`; bill in full, or for what was sent if the stream was cut."""
        self._open_stream()
        self._pause(plan, "ttft", 15)
        self.sent_chunks = 0
        self.sent_tokens = 0
        try:
            send()
            done(True, None)
            self._close_stream()
        except (Cut, BrokenPipeError, ConnectionResetError):
            done(False, self.sent_tokens + plan.reasoning)
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.close()

    def _tick(self, plan, text):
        """Account for one content chunk about to be sent."""
        limit = plan.num("drop")
        if limit is not None and self.sent_chunks >= limit:
            raise Cut
        self._pause(plan, "gap", 2)
        self.sent_chunks += 1
        self.sent_tokens += tokens(text)

    # ---- OpenAI ---------------------------------------------------------------------

    @staticmethod
    def _openai_tools(body):
        found, parts = {}, []
        for tool in body.get("tools") or []:
            fn = tool.get("function") or tool
            if fn.get("name"):
                found[fn["name"]] = fn.get("parameters") or {}
            parts.append(json.dumps(fn, sort_keys=True))
        return found, parts

    def _openai_cache(self, plan):
        read = self.state.auto_cache("openai", plan)
        write = 0
        if CACHE_WRITE_BILLED.match(plan.model) and plan.input >= CACHE_MINIMUM:
            write = (plan.input - read) // CACHE_STEP * CACHE_STEP
        self._set_cache(plan, read, write)

    def _openai_chat_usage(self, plan):
        return {
            "prompt_tokens": plan.input,
            "completion_tokens": plan.output,
            "total_tokens": plan.input + plan.output,
            "prompt_tokens_details": {
                "cached_tokens": plan.cached,
                "audio_tokens": plan.audio_in,
                **({"cache_write_tokens": plan.write} if plan.write else {}),
            },
            "completion_tokens_details": {
                "reasoning_tokens": plan.reasoning,
                "audio_tokens": plan.audio_out,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        }

    def openai_chat(self, body):
        messages = body.get("messages") or []
        tools, parts = self._openai_tools(body)
        parts += ["\n".join(_texts(m)) for m in messages]
        fmt = body.get("response_format") or {}
        schema = (fmt.get("json_schema") or {}).get("schema") if fmt.get("type") == "json_schema" else None
        n = int(body.get("n") or 1)
        plan = self._plan(
            body.get("model", ""),
            body,
            parts,
            n=n,
            tools=tools,
            schema=schema,
            tool_result_last=bool(messages) and messages[-1].get("role") == "tool",
            max_tokens=body.get("max_completion_tokens") or body.get("max_tokens"),
        )
        stream = body.get("stream")
        where = ("openai", "chat", "chat_completions", stream)
        if self._failed(plan, *where, n=n):
            return None
        self._openai_cache(plan)
        rid, usage = self.state.next_id(plan, "chatcmpl-"), self._openai_chat_usage(plan)
        base = {
            "id": rid,
            "created": int(time.time()),
            "model": plan.response_model,
            "service_tier": plan.d.get("tier", "default"),
            "system_fingerprint": "fp_fake",
        }
        finish = [c.finish for c in plan.choices]

        def tool_calls(choice, index):
            return [
                {
                    **({"index": i} if index else {}),
                    "id": "call_" + c["id"],
                    "type": "function",
                    "function": {"name": c["name"], "arguments": c["arguments"]},
                }
                for i, c in enumerate(choice.calls)
            ]

        if not stream:
            choices = [
                {
                    "index": i,
                    "finish_reason": c.finish,
                    "logprobs": None,
                    "message": {
                        "role": "assistant",
                        "content": c.text or None,
                        "refusal": None,
                        "annotations": [],
                        **({"tool_calls": tool_calls(c, False)} if c.calls else {}),
                    },
                }
                for i, c in enumerate(plan.choices)
            ]
            self._pause(plan, "ttft", 5)
            self._record(plan, *where, finish, rid, usage, n=n)
            return self._json(200, {**base, "object": "chat.completion", "choices": choices, "usage": usage})

        want_usage = bool((body.get("stream_options") or {}).get("include_usage"))
        base["object"] = "chat.completion.chunk"
        if want_usage:
            base["usage"] = None

        def chunk(i, delta, why=None):
            self._sse({**base, "choices": [{"index": i, "delta": delta, "logprobs": None, "finish_reason": why}]})

        def send():
            for i, c in enumerate(plan.choices):
                chunk(i, {"role": "assistant", "content": None if c.calls else "", "refusal": None})
                for piece in c.chunks():
                    self._tick(plan, piece)
                    chunk(i, {"content": piece})
                for call in tool_calls(c, True):
                    arguments = call["function"]["arguments"]
                    self._tick(plan, call["function"]["name"] + arguments)
                    call["function"] = {**call["function"], "arguments": ""}
                    chunk(i, {"tool_calls": [call]})
                    for k in range(0, len(arguments), 12):
                        chunk(
                            i,
                            {
                                "tool_calls": [
                                    {"index": call["index"], "function": {"arguments": arguments[k : k + 12]}}
                                ]
                            },
                        )
                chunk(i, {}, c.finish)
            if want_usage:
                self._sse({**base, "choices": [], "usage": usage})
            self._sse("[DONE]")

        def done(whole, billed):
            self._record(
                plan,
                *where,
                finish if whole else [],
                rid,
                usage if whole and want_usage else None,
                n=n,
                completed=whole,
                billed_output=billed,
            )

        self._stream(plan, send, done)
        return None

    def openai_completions(self, body):
        prompt = body.get("prompt") or ""
        parts = [prompt] if isinstance(prompt, str) else [str(p) for p in prompt]
        n = int(body.get("n") or 1) * len(parts)
        plan = self._plan(body.get("model", ""), body, parts, n=n, max_tokens=body.get("max_tokens"))
        where = ("openai", "text_completion", "completions", False)
        if self._failed(plan, *where, n=n):
            return
        self._openai_cache(plan)
        rid, usage = self.state.next_id(plan, "cmpl-"), self._openai_chat_usage(plan)
        finish = [c.finish for c in plan.choices]
        self._record(plan, *where, finish, rid, usage, n=n)
        self._json(
            200,
            {
                "id": rid,
                "object": "text_completion",
                "created": int(time.time()),
                "model": plan.response_model,
                "usage": usage,
                "choices": [
                    {"index": i, "text": c.text, "finish_reason": c.finish, "logprobs": None}
                    for i, c in enumerate(plan.choices)
                ],
            },
        )

    def openai_embeddings(self, body):
        given = body.get("input", "")
        if isinstance(given, str) or (given and isinstance(given[0], int)):
            given = [given]
        counts = [tokens(g) if isinstance(g, str) else len(g) for g in given]
        text = "\n".join(g for g in given if isinstance(g, str))
        plan = Plan(body.get("model", ""), text, _directives(text), body)
        plan.input = plan.num("in", sum(counts))
        where = ("openai", "embeddings", "embeddings", False)
        if self._failed(plan, *where):
            return
        size = int(body.get("dimensions") or 16)
        data = []
        for i, item in enumerate(given):
            seed = _digest(item)
            vector = [(seed[k % 32] - 127.5) / 1024 for k in range(size)]
            if body.get("encoding_format") == "base64":
                vector = base64.b64encode(struct.pack(f"<{size}f", *vector)).decode()
            data.append({"object": "embedding", "index": i, "embedding": vector})
        usage = {"prompt_tokens": plan.input, "total_tokens": plan.input}
        self._record(plan, *where, (), None, usage)
        self._json(200, {"object": "list", "data": data, "model": plan.response_model, "usage": usage})

    def openai_responses(self, body):
        given = body.get("input") or ""
        items = [{"role": "user", "content": given}] if isinstance(given, str) else given
        tools, parts = self._openai_tools(body)
        if body.get("instructions"):
            parts.append(body["instructions"])
        parts += ["\n".join(_texts(item)) for item in items]
        fmt = (body.get("text") or {}).get("format") or {}
        schema = fmt.get("schema") if fmt.get("type") == "json_schema" else None
        plan = self._plan(
            body.get("model", ""),
            body,
            parts,
            tools=tools,
            schema=schema,
            tool_result_last=bool(items) and items[-1].get("type") == "function_call_output",
            max_tokens=body.get("max_output_tokens"),
        )
        stream = body.get("stream")
        where = ("openai", "chat", "responses", stream)
        if self._failed(plan, *where):
            return None
        self._openai_cache(plan)
        rid = self.state.next_id(plan, "resp_")
        details = {"cached_tokens": plan.cached, "cache_write_tokens": plan.write}
        usage = {
            "input_tokens": plan.input,
            "input_tokens_details": details,
            "output_tokens": plan.output,
            "output_tokens_details": {"reasoning_tokens": plan.reasoning},
            "total_tokens": plan.input + plan.output,
        }
        choice = plan.choices[0]
        cut_short = choice.finish == "length"
        output = []
        if plan.reasoning:
            output.append({"id": "rs_" + rid[5:], "type": "reasoning", "summary": []})
        for c in choice.calls:
            output.append(
                {
                    "id": "fc_" + c["id"],
                    "type": "function_call",
                    "status": "completed",
                    "call_id": "call_" + c["id"],
                    "name": c["name"],
                    "arguments": c["arguments"],
                }
            )
        if choice.text:
            output.append(
                {
                    "id": "msg_" + rid[5:],
                    "type": "message",
                    "role": "assistant",
                    "status": "incomplete" if cut_short else "completed",
                    "content": [{"type": "output_text", "text": choice.text, "annotations": [], "logprobs": []}],
                }
            )
        status = "incomplete" if cut_short else "completed"
        response = {
            "id": rid,
            "object": "response",
            "created_at": int(time.time()),
            "status": status,
            "background": False,
            "error": None,
            "incomplete_details": {"reason": "max_output_tokens"} if cut_short else None,
            "instructions": body.get("instructions"),
            "max_output_tokens": body.get("max_output_tokens"),
            "model": plan.response_model,
            "output": output,
            "parallel_tool_calls": True,
            "previous_response_id": body.get("previous_response_id"),
            "reasoning": body.get("reasoning") or {"effort": None, "summary": None},
            "service_tier": plan.d.get("tier", "default"),
            "store": True,
            "temperature": body.get("temperature", 1.0),
            "text": {"format": {"type": "text"}},
            "tool_choice": body.get("tool_choice") or "auto",
            "tools": body.get("tools") or [],
            "top_p": body.get("top_p", 1.0),
            "truncation": "disabled",
            "usage": usage,
            "user": None,
            "metadata": body.get("metadata") or {},
        }
        finish = [status]
        if not stream:
            self._pause(plan, "ttft", 5)
            self._record(plan, *where, finish, rid, usage)
            return self._json(200, response)

        counter = iter(range(10**6))

        def event(kind, **fields):
            self._sse({"type": kind, "sequence_number": next(counter), **fields}, kind)

        def send():
            early = {**response, "status": "in_progress", "output": [], "usage": None, "incomplete_details": None}
            event("response.created", response=early)
            event("response.in_progress", response=early)
            for i, item in enumerate(output):
                if item["type"] == "message":
                    event(
                        "response.output_item.added",
                        output_index=i,
                        item={**item, "status": "in_progress", "content": []},
                    )
                    part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
                    at = {"item_id": item["id"], "output_index": i, "content_index": 0}
                    event("response.content_part.added", **at, part=part)
                    for piece in choice.chunks():
                        self._tick(plan, piece)
                        event("response.output_text.delta", **at, delta=piece, logprobs=[])
                    event("response.output_text.done", **at, text=choice.text, logprobs=[])
                    event("response.content_part.done", **at, part={**part, "text": choice.text})
                elif item["type"] == "function_call":
                    self._tick(plan, item["name"] + item["arguments"])
                    event(
                        "response.output_item.added",
                        output_index=i,
                        item={**item, "status": "in_progress", "arguments": ""},
                    )
                    at = {"item_id": item["id"], "output_index": i}
                    event("response.function_call_arguments.delta", **at, delta=item["arguments"])
                    event("response.function_call_arguments.done", **at, name=item["name"], arguments=item["arguments"])
                else:
                    event("response.output_item.added", output_index=i, item=item)
                event("response.output_item.done", output_index=i, item=item)
            event("response." + status, response=response)

        def done(whole, billed):
            self._record(
                plan,
                *where,
                finish if whole else [],
                rid,
                usage if whole else None,
                completed=whole,
                billed_output=billed,
            )

        self._stream(plan, send, done)
        return None

    # ---- Anthropic ------------------------------------------------------------------

    @staticmethod
    def _anthropic_blocks(body):
        """The prompt as (cache_control or None, text) in cache order: tools, system, messages."""
        blocks = []
        for tool in body.get("tools") or []:
            text = json.dumps({k: v for k, v in tool.items() if k != "cache_control"}, sort_keys=True)
            blocks.append((tool.get("cache_control"), text))
        system = body.get("system") or []
        for block in [{"type": "text", "text": system}] if isinstance(system, str) else system:
            blocks.append((block.get("cache_control"), block.get("text", "")))
        for message in body.get("messages") or []:
            content = message.get("content") or ""
            for block in [{"type": "text", "text": content}] if isinstance(content, str) else content:
                plain = {k: v for k, v in block.items() if k not in ("cache_control", "type")}
                blocks.append((block.get("cache_control"), "\n".join(_texts(plain))))
        return blocks

    def anthropic_count(self, body):
        parts = [text for _, text in self._anthropic_blocks(body)]
        self._json(200, {"input_tokens": self._plan(body.get("model", ""), body, parts).input})

    def anthropic_messages(self, body):
        blocks = self._anthropic_blocks(body)
        messages = body.get("messages") or []
        last = messages[-1].get("content") if messages else ""
        after_tool = isinstance(last, list) and any(b.get("type") == "tool_result" for b in last)
        tools = {t.get("name"): t.get("input_schema") or {} for t in body.get("tools") or []}
        thinking = (body.get("thinking") or {}).get("type") in ("enabled", "adaptive")
        plan = self._plan(
            body.get("model", ""),
            body,
            [text for _, text in blocks],
            tools=tools,
            tool_result_last=after_tool,
            max_tokens=body.get("max_tokens"),
            thinking=thinking,
        )
        stream = body.get("stream")
        where = ("anthropic", "chat", "messages", stream)
        if self._failed(plan, *where):
            return None
        marked = [i for i, (control, _) in enumerate(blocks) if control]
        read = write_5m = write_1h = 0
        if marked:
            prefix = [text for _, text in blocks[: marked[-1] + 1]]
            size = min(sum(4 + tokens(t) for t in prefix), plan.input)
            if size >= CACHE_MINIMUM:
                if self.state.marked_cache(plan.model, prefix):
                    read = size
                elif blocks[marked[-1]][0].get("ttl") == "1h":
                    write_1h = size
                else:
                    write_5m = size
        self._set_cache(plan, read, write_5m, write_1h)
        rid = self.state.next_id(plan, "msg_")
        usage = {
            "input_tokens": plan.input - plan.cached - plan.write,
            "cache_creation_input_tokens": plan.write,
            "cache_read_input_tokens": plan.cached,
            "cache_creation": {"ephemeral_5m_input_tokens": plan.write_5m, "ephemeral_1h_input_tokens": plan.write_1h},
            "output_tokens": plan.output,
            "service_tier": plan.d.get("tier", "standard"),
        }
        if plan.reasoning:
            usage["output_tokens_details"] = {"thinking_tokens": plan.reasoning}
        choice = plan.choices[0]
        finish = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}[choice.finish]
        content = []
        if plan.reasoning:
            content.append({"type": "thinking", "thinking": "Considering the request.", "signature": "ZmFrZQ=="})
        if choice.text:
            content.append({"type": "text", "text": choice.text})
        for c in choice.calls:
            content.append(
                {"type": "tool_use", "id": "toolu_" + c["id"], "name": c["name"], "input": json.loads(c["arguments"])}
            )
        message = {
            "id": rid,
            "type": "message",
            "role": "assistant",
            "model": plan.response_model,
            "content": content,
            "stop_reason": finish,
            "stop_sequence": None,
            "usage": usage,
        }
        if not stream:
            self._pause(plan, "ttft", 5)
            self._record(plan, *where, [finish], rid, usage)
            return self._json(200, message)

        def event(kind, **fields):
            self._sse({"type": kind, **fields}, kind)

        def send():
            event(
                "message_start",
                message={**message, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}},
            )
            event("ping")
            for i, block in enumerate(content):
                kind = block["type"]
                if kind == "text":
                    event("content_block_start", index=i, content_block={"type": "text", "text": ""})
                    for piece in choice.chunks():
                        self._tick(plan, piece)
                        event("content_block_delta", index=i, delta={"type": "text_delta", "text": piece})
                elif kind == "thinking":
                    event(
                        "content_block_start",
                        index=i,
                        content_block={"type": "thinking", "thinking": "", "signature": ""},
                    )
                    event(
                        "content_block_delta", index=i, delta={"type": "thinking_delta", "thinking": block["thinking"]}
                    )
                    event(
                        "content_block_delta",
                        index=i,
                        delta={"type": "signature_delta", "signature": block["signature"]},
                    )
                else:
                    arguments = json.dumps(block["input"])
                    self._tick(plan, block["name"] + arguments)
                    event("content_block_start", index=i, content_block={**block, "input": {}})
                    event("content_block_delta", index=i, delta={"type": "input_json_delta", "partial_json": arguments})
                event("content_block_stop", index=i)
            final = {k: v for k, v in usage.items() if k not in ("cache_creation", "service_tier")}
            event("message_delta", delta={"stop_reason": finish, "stop_sequence": None}, usage=final)
            event("message_stop")

        def done(whole, billed):
            self._record(
                plan,
                *where,
                [finish] if whole else [],
                rid,
                usage if whole else None,
                completed=whole,
                billed_output=billed,
            )

        self._stream(plan, send, done)
        return None

    # ---- Gemini ---------------------------------------------------------------------

    def gemini(self, model, method, body):
        if method in ("embedContent", "batchEmbedContents"):
            return self.gemini_embed(model, method, body)
        contents = body.get("contents") or []
        contents = [contents] if isinstance(contents, dict) else contents
        tools, parts = {}, []
        for tool in body.get("tools") or []:
            for fn in tool.get("functionDeclarations") or []:
                tools[fn.get("name")] = (
                    fn.get("parameters") or fn.get("parametersJsonSchema") or fn.get("parameters_json_schema") or {}
                )
                parts.append(json.dumps(fn, sort_keys=True))
        if body.get("systemInstruction"):
            parts.append("\n".join(_texts(body["systemInstruction"])))
        parts += ["\n".join(_texts(c)) for c in contents]
        config = body.get("generationConfig") or {}
        think = config.get("thinkingConfig") or {}
        last = (contents[-1].get("parts") or []) if contents else []
        plan = self._plan(
            model,
            body,
            parts,
            tools=tools,
            n=int(config.get("candidateCount") or 1),
            tool_result_last=any("functionResponse" in p for p in last),
            schema=config.get("responseSchema") or config.get("responseJsonSchema"),
            max_tokens=config.get("maxOutputTokens"),
            thinking=bool(think.get("thinkingBudget") or think.get("thinkingLevel")),
        )
        if method == "countTokens":
            return self._json(200, {"totalTokens": plan.input})
        stream = method == "streamGenerateContent"
        where = ("gemini", "generate_content", "generate_content", stream)
        if self._failed(plan, *where, n=len(plan.choices)):
            return None
        self._set_cache(plan, self.state.auto_cache("gemini", plan))
        plan.write_5m = plan.write_1h = 0
        rid = self.state.next_id(plan, "gem")
        reasons = {"stop": "STOP", "length": "MAX_TOKENS", "tool_calls": "STOP"}
        finish = [reasons[c.finish] for c in plan.choices]

        def usage(visible):
            return {
                "promptTokenCount": plan.input,
                "candidatesTokenCount": visible,
                "totalTokenCount": plan.input + visible + plan.reasoning,
                **({"cachedContentTokenCount": plan.cached} if plan.cached else {}),
                **({"thoughtsTokenCount": plan.reasoning} if plan.reasoning else {}),
                "promptTokensDetails": [{"modality": "TEXT", "tokenCount": plan.input}],
            }

        def candidate(i, choice, text, last_piece):
            out = [{"text": text}] if text else []
            if last_piece:
                out += [{"functionCall": {"name": c["name"], "args": json.loads(c["arguments"])}} for c in choice.calls]
            return {
                "index": i,
                "content": {"role": "model", "parts": out},
                **({"finishReason": finish[i]} if last_piece else {}),
            }

        base = {"modelVersion": plan.response_model, "responseId": rid}
        if not stream:
            self._pause(plan, "ttft", 5)
            self._record(plan, *where, finish, rid, usage(plan.visible), n=len(plan.choices))
            return self._json(
                200,
                {
                    **base,
                    "usageMetadata": usage(plan.visible),
                    "candidates": [candidate(i, c, c.text, True) for i, c in enumerate(plan.choices)],
                },
            )

        def send():
            for i, c in enumerate(plan.choices):
                pieces = c.chunks(32) or [""]
                for k, piece in enumerate(pieces):
                    self._tick(plan, piece)
                    final = k == len(pieces) - 1
                    whole = final and i == len(plan.choices) - 1
                    self._sse(
                        {
                            **base,
                            "candidates": [candidate(i, c, piece, final)],
                            "usageMetadata": usage(plan.visible if whole else self.sent_tokens),
                        }
                    )

        def done(whole, billed):
            self._record(
                plan,
                *where,
                finish if whole else [],
                rid,
                usage(plan.visible) if whole else None,
                completed=whole,
                billed_output=billed,
                n=len(plan.choices),
            )

        self._stream(plan, send, done)
        return None

    def gemini_embed(self, model, method, body):
        asked = body.get("requests") or [body]
        texts = ["\n".join(_texts(r.get("content"))) for r in asked]
        text = "\n".join(texts)
        plan = Plan(model, text, _directives(text), body)
        plan.input = plan.num("in", sum(tokens(t) for t in texts))
        where = ("gemini", "embeddings", "embed_content", False)
        if self._failed(plan, *where):
            return
        data = [{"values": [(b - 127.5) / 1024 for b in _digest(t)[:16]]} for t in texts]
        self._record(plan, *where)
        self._json(200, {"embeddings": data} if "requests" in body else {"embedding": data[0]})


class Server(ThreadingHTTPServer):
    daemon_threads = True
    verbose = False

    def handle_error(self, request, client_address):
        """A client that goes away mid-request is normal here; say nothing unless asked."""
        if self.verbose:
            super().handle_error(request, client_address)


class FakeProvider:
    """The server, for use in tests: a context manager on a free loopback port."""

    def __init__(self, port=0, verbose=False):
        self.state = State()
        handler = type("BoundHandler", (Handler,), {"state": self.state})
        self.server = Server(("127.0.0.1", port), handler)
        self.server.verbose = verbose
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.openai_url = self.url + "/v1"
        self.anthropic_url = self.gemini_url = self.url

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exc):
        self.server.shutdown()
        self.server.server_close()

    def calls(self):
        with self.state.lock:
            return [dict(c) for c in self.state.ledger]

    def reset(self):
        self.state.reset()

    def plant(self, **planted):
        """Have bills say something else than clients were told; see `fake_bills.Planted`."""
        self.state.planted = fake_bills.Planted(**planted)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=4010, help="0 picks a free port")
    parser.add_argument("--port-file", help="write the port here once listening")
    parser.add_argument("--verbose", action="store_true")
    args = parser.parse_args()
    fake = FakeProvider(args.port, args.verbose)
    if args.port_file:
        with open(args.port_file, "w") as f:
            f.write(str(fake.port))
    print(f"fake provider on {fake.url}", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        fake.server.serve_forever()


if __name__ == "__main__":
    main()

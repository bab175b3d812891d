"""Attribute names on the wire: OpenTelemetry's GenAI conventions as of November 2026, and the few of our own.

The conventions are still in development (open-telemetry/semantic-conventions-genai); a rename upstream touches this
file alone. Old spellings are the collector's business: here only today's are written.
"""

from __future__ import annotations

SCOPE = "outlay"  # the instrumentation scope the collector recognises us by

OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
REQUEST_MODEL = "gen_ai.request.model"
TEMPERATURE = "gen_ai.request.temperature"
MAX_TOKENS = "gen_ai.request.max_tokens"
STREAM = "gen_ai.request.stream"
RESPONSE_MODEL = "gen_ai.response.model"
RESPONSE_ID = "gen_ai.response.id"
FINISH_REASONS = "gen_ai.response.finish_reasons"
TIME_TO_FIRST_CHUNK = "gen_ai.response.time_to_first_chunk"  # seconds

INPUT_TOKENS = "gen_ai.usage.input_tokens"  # all input: cached, written to the cache and audio included
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"  # all output: reasoning and audio included
CACHE_READ_TOKENS = "gen_ai.usage.cache_read.input_tokens"
CACHE_WRITE_TOKENS = "gen_ai.usage.cache_write.input_tokens"
CACHE_WRITE_5M_TOKENS = "outlay.usage.cache_write_5m_tokens"
CACHE_WRITE_1H_TOKENS = "outlay.usage.cache_write_1h_tokens"
REASONING_TOKENS = "gen_ai.usage.reasoning.output_tokens"
AUDIO_INPUT_TOKENS = "gen_ai.usage.audio.input_tokens"
AUDIO_OUTPUT_TOKENS = "gen_ai.usage.audio.output_tokens"

AGENT = "gen_ai.agent.name"
TOOL = "gen_ai.tool.name"
INPUT_MESSAGES = "gen_ai.input.messages"
OUTPUT_MESSAGES = "gen_ai.output.messages"
SYSTEM_INSTRUCTIONS = "gen_ai.system_instructions"
CONTENT_INPUT = "outlay.content.input"  # of a step that is no model call: its arguments, as JSON
CONTENT_OUTPUT = "outlay.content.output"  # what it returned, as JSON
ERROR_TYPE = "error.type"
SERVER_ADDRESS = "server.address"
USER = "user.id"
SESSION = "session.id"

EVIDENCE_PROMPT = "outlay.evidence.prompt"  # hash of model, settings and everything said
EVIDENCE_INPUT = "outlay.evidence.input"  # hash of everything said, whoever is asked
EVIDENCE_PREFIXES = "outlay.evidence.prefixes"  # "4096:hash" …: of the first so many characters
EVIDENCE_SIZES = "outlay.evidence.sizes"  # "system:1200" …: characters by role
EVIDENCE_TOOLS = "outlay.evidence.tools"  # "weather:hash" …: tools called, with the hash of the arguments

EVALUATION = "gen_ai.evaluation.result"
EVALUATION_NAME = "gen_ai.evaluation.name"
EVALUATION_VALUE = "gen_ai.evaluation.score.value"
EVALUATION_LABEL = "gen_ai.evaluation.score.label"
EVALUATION_EXPLANATION = "gen_ai.evaluation.explanation"

TEAM = "outlay.team"
FEATURE = "outlay.feature"
CUSTOMER = "outlay.customer"
PROMPT_VERSION = "outlay.prompt.version"
TAG = "outlay.tag."  # followed by the tag's key
SERVICE_TIER = "outlay.service_tier"
USAGE_SOURCE = "outlay.usage_source"  # written only when it is not "reported"

SERVICE_NAME = "service.name"
SERVICE_VERSION = "service.version"
ENVIRONMENT = "deployment.environment.name"

# Operations that ask a model for something, and so may carry usage and be billed.
CHAT = "chat"
EMBEDDINGS = "embeddings"
TEXT_COMPLETION = "text_completion"
GENERATE_CONTENT = "generate_content"
# Kinds of span that never are a model call themselves, with the operation each is written as.
OPERATION_OF_KIND = {"agent": "invoke_agent", "tool": "execute_tool", "step": None}

"""What was noticed while reading a span, as flags on the call, each with the sentence a user is shown.

A flag never changes a number silently: it says which number is not what it seems, or what could not be known.
"""

from __future__ import annotations

from collections.abc import Mapping

CACHE_NOT_REPORTED = "cache_not_reported_by_instrumentation"
CACHE_WRITE_NOT_REPORTED = "cache_write_not_reported_by_instrumentation"
TTL_ASSUMED = "cache_write_ttl_assumed"
ESTIMATED_BY_EMITTER = "usage_estimated_by_instrumentation"
ESTIMATED_FROM_CONTENT = "usage_estimated_from_content"
REASONING_NOT_ESTIMATED = "reasoning_not_estimated"
READ_AS_EXCLUSIVE = "input_read_as_exclusive"
OUTPUT_CORRECTED = "output_tokens_corrected"
CONTRADICTION = "usage_contradiction"
INVALID_COUNT = "usage_invalid"
LAST_CALL_ONLY = "usage_of_last_call_only"
PROVIDER_FROM_MODEL = "provider_from_model"
PROVIDER_FROM_ADDRESS = "provider_from_address"
MODEL_FROM_NAME = "model_from_span_name"
FAILED_UNBILLED = "failed_before_answer"
STREAM_CUT = "stream_cut"
STREAM_REQUEST = "stream_request_half"
STREAM_LOG = "stream_log_half"
DESCRIBES_PARENT = "describes_parent"
PENDING = "pending"
FREE = "free_of_charge"
WRAPS_ONE_CALL = "wraps_calls"
LLM_HTTP_REQUEST = "llm_http_request"
ID_INVENTED = "response_id_invented"
UNREADABLE = "unreadable"
AGGREGATE_COUNTED = "aggregate_counted_as_estimate"
SEEN_ONLY_AS_HTTP = "seen_only_as_http_request"

SENTENCES: Mapping[str, str] = {
    CACHE_NOT_REPORTED: "This instrumentation does not report cached tokens; a cached prompt is priced in full.",
    CACHE_WRITE_NOT_REPORTED: "This instrumentation does not report cache writes; they are priced as plain input.",
    TTL_ASSUMED: "The lifetime of the cache write was not reported; five minutes are assumed (one hour costs 1.6 ×).",
    ESTIMATED_BY_EMITTER: "The instrumentation counted these tokens itself, because the provider sent no usage.",
    ESTIMATED_FROM_CONTENT: "The provider sent no usage; tokens were estimated from the texts (± 25 %).",
    REASONING_NOT_ESTIMATED: "Hidden reasoning cannot be estimated: the output is a lower bound.",
    READ_AS_EXCLUSIVE: "The cache counts exceed the input count, so the input was read as uncached input only.",
    OUTPUT_CORRECTED: "This instrumentation counts one output token too many in streams; it was taken off.",
    CONTRADICTION: "A part of the usage exceeds its whole; the numbers are kept as they came and not priced.",
    INVALID_COUNT: "A count was negative, fractional, boolean or absurdly large; the usage is kept raw and not priced.",
    LAST_CALL_ONLY: "One span stands for several provider calls and carries the usage of the last; it is a lower bound.",
    PROVIDER_FROM_MODEL: "No usable provider name came with the span; it was told from the model's name.",
    PROVIDER_FROM_ADDRESS: "The provider was told from the server's address.",
    MODEL_FROM_NAME: "The span carried no model; it was read from the span's name.",
    FAILED_UNBILLED: "The call failed before any answer; providers bill nothing for that.",
    STREAM_CUT: "The stream ended early; the provider bills what it had sent, and reported nothing.",
    STREAM_REQUEST: "First half of a streamed call: the request; the answer came in a record of its own.",
    STREAM_LOG: "Second half of a streamed call: the answer, logged when the stream ended.",
    DESCRIBES_PARENT: "The same call as the span above it, in the provider's own words.",
    PENDING: "A placeholder sent while the span was still open.",
    FREE: "The provider does not charge for this operation.",
    WRAPS_ONE_CALL: "An outer span around provider calls; it stands for a call only if none was reported inside.",
    LLM_HTTP_REQUEST: "An HTTP request to a model API.",
    ID_INVENTED: "The response id was made up by the instrumentation and joins with nothing.",
    UNREADABLE: "The span could not be understood and was kept as it came.",
    AGGREGATE_COUNTED: "Only a summary of the calls arrived; its totals are counted as an estimate.",
    SEEN_ONLY_AS_HTTP: "The call was seen only as an HTTP request; its instrumentation reported no span, usage is missing.",
}

// Model calls as OpenTelemetry's Node SDK sends them.
//
//     node node_exporter.cjs proto|http|grpc ENDPOINT KEY CALLS
//
// Call number n has 1000 + n input tokens and 100 output tokens. The last line is JSON: what became of the calls.
const [protocol, endpoint, key, calls] = process.argv.slice(2);
const { NodeTracerProvider, BatchSpanProcessor } = require("@opentelemetry/sdk-trace-node");
const { OTLPTraceExporter } = require(`@opentelemetry/exporter-trace-otlp-${protocol}`);

function exporterOf() {
  if (protocol === "grpc") {
    const { Metadata } = require("@grpc/grpc-js");
    const metadata = new Metadata();
    metadata.set("authorization", `Bearer ${key}`);
    return new OTLPTraceExporter({ url: endpoint, metadata });
  }
  return new OTLPTraceExporter({ url: `${endpoint}/v1/traces`, headers: { authorization: `Bearer ${key}` } });
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function main() {
  const exporter = exporterOf();
  let delivered = 0;
  let givenUp = 0;
  const watched = {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        if (result.code === 0) delivered += spans.length;
        else givenUp += spans.length;
        done(result);
      }),
    shutdown: () => exporter.shutdown(),
    forceFlush: () => exporter.forceFlush(),
  };
  const processor = new BatchSpanProcessor(watched, { scheduledDelayMillis: 100, maxExportBatchSize: 10 });
  const provider = new NodeTracerProvider({ spanProcessors: [processor] });
  const tracer = provider.getTracer("shop", "1.0");
  for (let number = 0; number < Number(calls); number++) {
    const span = tracer.startSpan("chat gpt-4o-mini");
    span.setAttributes({
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": "openai",
      "gen_ai.request.model": "gpt-4o-mini",
      "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
      "gen_ai.usage.input_tokens": 1000 + number,
      "gen_ai.usage.output_tokens": 100,
    });
    await pause(20);
    span.end();
  }
  // A program that goes on running: what was refused is tried again until the exporter's own deadline.
  for (let waited = 0; delivered + givenUp < Number(calls) && waited < 120000; waited += 50) await pause(50);
  await provider.forceFlush();
  await provider.shutdown();
  console.log(JSON.stringify({ given_up: Number(calls) - delivered }));
}

main();

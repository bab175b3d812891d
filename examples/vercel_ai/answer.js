// Node with the Vercel AI SDK: its own telemetry, sent to Outlay by OpenTelemetry's exporter; nothing of ours is needed.
//
//     npm install && npm start

import { createOpenAI } from "@ai-sdk/openai";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { BatchSpanProcessor, NodeTracerProvider } from "@opentelemetry/sdk-trace-node";
import { generateText, streamText } from "ai";

const endpoint = process.env.OUTLAY_ENDPOINT ?? "http://127.0.0.1:4318";
const key = process.env.OUTLAY_API_KEY;

const exporter = new OTLPTraceExporter({
  url: `${endpoint}/v1/traces`,
  headers: key ? { authorization: `Bearer ${key}` } : {},
});
const provider = new NodeTracerProvider({ spanProcessors: [new BatchSpanProcessor(exporter)] });
provider.register();

const openai = createOpenAI({ baseURL: process.env.OPENAI_BASE_URL });
// Prompts and answers stay here; functionId is the feature, metadata says who the call is for.
const telemetry = {
  isEnabled: true,
  recordInputs: false,
  recordOutputs: false,
  functionId: "answer",
  metadata: { team: "support", customer: "acme", userId: "u-17" },
};

const { text } = await generateText({
  model: openai("gpt-4o-mini"),
  prompt: "What does a token cost?",
  experimental_telemetry: telemetry,
});
console.log(text);

const stream = streamText({
  model: openai("gpt-4o-mini"),
  prompt: "And what does it cost when it was cached?",
  experimental_telemetry: telemetry,
});
for await (const part of stream.textStream) process.stdout.write(part);
process.stdout.write("\n");

await provider.shutdown();

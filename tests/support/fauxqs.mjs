// The fast SQS server on loopback only: its own command listens on every interface.
// Usage: node fauxqs.mjs PORT [LATENCY_MS]. GET /calls answers with the number of calls of each action.
import { buildApp } from "fauxqs";

const [port, latency] = process.argv.slice(2).map(Number);
const calls = {};
const app = buildApp({ logger: false });
app.addHook("preHandler", async (request) => {
  const action = String(request.headers["x-amz-target"] ?? "").split(".")[1];
  if (action) calls[action] = (calls[action] ?? 0) + 1;
  if (latency > 0) await new Promise((resolve) => setTimeout(resolve, latency));
});
app.get("/calls", async () => calls);
await app.listen({ host: "127.0.0.1", port });

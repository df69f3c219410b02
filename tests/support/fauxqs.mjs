// The fast SQS server, on loopback only: its own command listens on every interface. On a port that the system
// chooses; it says the port, and ends with its standard input.
// Usage: node fauxqs.mjs [LATENCY_MS]. GET /calls answers with the number of calls of each action.
import { buildApp } from "fauxqs";

const latency = Number(process.argv[2] ?? 0);
const calls = {};
const app = buildApp({ logger: false });
app.addHook("preHandler", async (request) => {
  const action = String(request.headers["x-amz-target"] ?? "").split(".")[1];
  if (action) calls[action] = (calls[action] ?? 0) + 1;
  if (latency > 0) await new Promise((resolve) => setTimeout(resolve, latency));
});
app.get("/calls", async () => calls);
await app.listen({ host: "127.0.0.1", port: 0 });
console.log(app.server.address().port);
process.stdin.on("end", () => process.exit(0)).resume();

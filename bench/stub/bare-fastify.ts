/** Fastify with one small JSON route and nothing else: what HTTP alone costs on this machine. */
import { fastify } from "fastify";

const app = fastify();
app.get("/readyz", () => ({ status: "ready" }));
app.post("/v1/calls", () => ({
  outcome: "completed",
  exit_code: 0,
  stdout: "42\n",
  stderr: "",
  detail: null,
  usage: { cpu_ms: 0 },
}));
process.once("SIGTERM", () => {
  void app.close().then(() => process.exit(0));
});
process.stdout.write(`${await app.listen({ host: "127.0.0.1", port: 0 })}\n`);

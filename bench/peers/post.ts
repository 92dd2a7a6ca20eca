/** JSON over kept-alive connections to a peer. */
import { Agent, request } from "undici";

const ANSWER_TIMEOUT_MS = 60 * 60_000;

export interface PeerOptions {
  readonly url: string;
  /** Connections open at once. */
  readonly connections: number;
  /** Process whose tree does the work, for CPU figures. */
  readonly pid: number | null;
}

export interface Poster {
  /** @throws Error when the answer is not a 200 with JSON. */
  post(path: string, body: unknown): Promise<unknown>;
  close(): Promise<void>;
}

export function createPoster({ url, connections }: PeerOptions): Poster {
  const base = url.replace(/\/+$/, "");
  const agent = new Agent({
    connections,
    pipelining: 1,
    headersTimeout: ANSWER_TIMEOUT_MS,
    bodyTimeout: ANSWER_TIMEOUT_MS,
  });
  return {
    async post(path, body) {
      const answer = await request(base + path, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
        dispatcher: agent,
      });
      const text = await answer.body.text();
      if (answer.statusCode !== 200) throw new Error(`http ${answer.statusCode}: ${text.slice(0, 120)}`);
      return JSON.parse(text) as unknown;
    },
    close: () => agent.close(),
  };
}

/**
 * What the server has open: connections, and the requests for calls in flight on each.
 *
 * Invariant: a connection's end, half-closed included, aborts every request in flight on it. A client that
 * has only shut its sending side looks the same as one whose process died, so both count as gone.
 */
import type { Server } from "node:http";
import type { Socket } from "node:net";
import { SandboxError } from "../contract/errors.ts";

export interface Ticket {
  /** Aborts when nobody waits for the answer any more, or when the time to drain is over. */
  readonly signal: AbortSignal;
  /** To be called once, when the answer is decided. */
  leave(): void;
}

export interface Traffic {
  readonly draining: boolean;
  /**
   * Admits a request for calls.
   * @throws SandboxError `draining`.
   */
  enter(socket: Socket): Ticket;
  /** Requests in flight on a connection. */
  inFlightOn(socket: Socket): number;
  /** Counts bytes of bodies that are being received; negative to give them back. */
  bodyBytes: number;
  counts(): { connections: number; requests: number; bodyBytes: number };
  /** Admits nothing more. Resolves when nothing is in flight: true when all ended by itself, false when some were aborted. */
  drain(timeoutMs: number): Promise<boolean>;
  close(): void;
}

interface Connection {
  readonly requests: Set<AbortController>;
  /** A write made no progress at the last look and Node's own socket timer runs. */
  watched: boolean;
}

const GONE = new Error("the client went away");
const OUT_OF_TIME = new Error("the service shut down");

/**
 * Cuts off clients that do not read their answer. A look twice in each period costs nothing per request;
 * Node's socket timer, which knows the progress of a write in the kernel, is started only where one waits.
 */
function lookForStalls(connections: Map<Socket, Connection>, stallTimeoutMs: number): void {
  for (const [socket, connection] of connections) {
    if (socket.writableLength > 0) {
      if (!connection.watched) socket.setTimeout(stallTimeoutMs);
      connection.watched = true;
    } else if (connection.watched) {
      connection.watched = false;
      if (connection.requests.size > 0) socket.setTimeout(0);
    }
  }
}

export function createTraffic(server: Server, options: { stallTimeoutMs: number }): Traffic {
  const connections = new Map<Socket, Connection>();
  let requests = 0;
  let draining = false;
  let onIdle: (() => void) | null = null;
  const looking = setInterval(
    lookForStalls,
    Math.ceil(options.stallTimeoutMs / 2),
    connections,
    options.stallTimeoutMs,
  );
  looking.unref();

  server.on("connection", (socket: Socket) => {
    const connection: Connection = { requests: new Set(), watched: false };
    connections.set(socket, connection);
    const gone = (): void => {
      for (const controller of connection.requests) controller.abort(GONE);
    };
    socket.once("end", gone);
    socket.once("close", () => {
      gone();
      connections.delete(socket);
    });
  });

  const traffic: Traffic = {
    bodyBytes: 0,
    get draining() {
      return draining;
    },
    enter(socket) {
      if (draining)
        throw new SandboxError("draining", "the service is shutting down and takes no more calls", {
          retryAfterMs: 1000,
        });
      const controller = new AbortController();
      const connection = connections.get(socket);
      if (connection === undefined || socket.readableEnded || socket.destroyed) controller.abort(GONE);
      connection?.requests.add(controller);
      requests += 1;
      return {
        signal: controller.signal,
        leave() {
          connection?.requests.delete(controller);
          requests -= 1;
          if (requests === 0) onIdle?.();
        },
      };
    },
    inFlightOn: (socket) => connections.get(socket)?.requests.size ?? 0,
    counts: () => ({ connections: connections.size, requests, bodyBytes: traffic.bodyBytes }),
    async drain(timeoutMs) {
      draining = true;
      if (requests === 0) return true;
      const idle = new Promise<true>((resolve) => (onIdle = () => resolve(true)));
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<false>((resolve) => (timer = setTimeout(resolve, timeoutMs, false)));
      const ended = await Promise.race([idle, late]);
      clearTimeout(timer);
      if (ended) return true;
      for (const connection of connections.values())
        for (const controller of connection.requests) controller.abort(OUT_OF_TIME);
      await idle;
      return false;
    },
    close: () => clearInterval(looking),
  };
  return traffic;
}

/**
 * What the server has open: connections, and the requests for calls in flight on each.
 *
 * Invariant: a connection's end, half-closed included, aborts every request in flight on it. A client that
 * has only shut its sending side looks the same as one whose process died, so both count as gone.
 */
import type { Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { SandboxError } from "../contract/errors.ts";

interface Ticket {
  /** Aborts when nobody waits for the answer any more, or when the time to drain is over. */
  readonly signal: AbortSignal;
  /** To be called once, when the answer is decided: from then on the client's going cancels nothing. */
  leave(): void;
}

export interface Traffic {
  /** Aborts when no more calls are admitted, so that what waits for more on an open connection can end. */
  readonly closing: AbortSignal;
  /**
   * Admits a request for calls. It is in flight until its response is handed to the system or its client is gone.
   * @throws SandboxError `draining`.
   */
  enter(response: ServerResponse): Ticket;
  /** Requests in flight on a connection. */
  inFlightOn(socket: Socket): number;
  /** Counts bytes of bodies that are being received; negative to give them back. */
  bodyBytes: number;
  counts(): { connections: number; requests: number; bodyBytes: number };
  /** Admits nothing more. Resolves when nothing is in flight: true when all ended by themselves, false when some had to be aborted. */
  drain(timeoutMs: number): Promise<boolean>;
  close(): void;
}

interface Connection {
  readonly requests: Set<AbortController>;
  /** Responses that have not been handed to the system. */
  responses: number;
  /** One for all responses of the connection. */
  readonly onResponseClosed: () => void;
  /** A write made no progress at the last look and Node's own socket timer runs. */
  watched: boolean;
}

/** For the answers of aborted requests to leave. */
const ABORTED_GRACE_MS = 5000;
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
      if (connection.responses > 0) socket.setTimeout(0);
    }
  }
}

function follow(
  connections: Map<Socket, Connection>,
  socket: Socket,
  onEnded: (responses: number) => void,
): void {
  const connection: Connection = {
    requests: new Set(),
    responses: 0,
    onResponseClosed() {
      if (!connections.has(socket)) return;
      connection.responses -= 1;
      onEnded(1);
    },
    watched: false,
  };
  connections.set(socket, connection);
  const gone = (): void => {
    for (const controller of connection.requests) controller.abort(GONE);
  };
  socket.once("end", gone);
  socket.once("close", () => {
    gone();
    connections.delete(socket);
    // Those behind another in a pipeline have no `close` of their own.
    onEnded(connection.responses);
  });
}

export function createTraffic(server: Server, options: { stallTimeoutMs: number }): Traffic {
  const connections = new Map<Socket, Connection>();
  let inFlight = 0;
  const closing = new AbortController();
  let onIdle: (() => void) | null = null;
  const looking = setInterval(
    lookForStalls,
    Math.ceil(options.stallTimeoutMs / 2),
    connections,
    options.stallTimeoutMs,
  );
  looking.unref();

  const onEnded = (responses: number): void => {
    inFlight -= responses;
    if (inFlight === 0) onIdle?.();
  };
  server.on("connection", (socket: Socket) => follow(connections, socket, onEnded));

  const idleWithin = async (timeoutMs: number): Promise<boolean> => {
    if (inFlight === 0) return true;
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs, false);
      onIdle = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
  };

  const traffic: Traffic = {
    bodyBytes: 0,
    closing: closing.signal,
    enter(response) {
      if (closing.signal.aborted)
        throw new SandboxError("draining", "the service is shutting down and takes no more calls", {
          retryAfterMs: 1000,
        });
      const controller = new AbortController();
      const socket = response.req.socket;
      const connection = connections.get(socket);
      if (connection === undefined || socket.readableEnded) {
        controller.abort(GONE);
        return { signal: controller.signal, leave() {} };
      }
      connection.requests.add(controller);
      connection.responses += 1;
      inFlight += 1;
      response.once("close", connection.onResponseClosed);
      return { signal: controller.signal, leave: () => void connection.requests.delete(controller) };
    },
    inFlightOn: (socket) => connections.get(socket)?.responses ?? 0,
    counts: () => ({ connections: connections.size, requests: inFlight, bodyBytes: traffic.bodyBytes }),
    async drain(timeoutMs) {
      closing.abort();
      if (await idleWithin(timeoutMs)) return true;
      for (const connection of connections.values())
        for (const controller of connection.requests) controller.abort(OUT_OF_TIME);
      await idleWithin(ABORTED_GRACE_MS);
      return false;
    },
    close: () => clearInterval(looking),
  };
  return traffic;
}

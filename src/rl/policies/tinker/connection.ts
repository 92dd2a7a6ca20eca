/** A session with one Tinker server: who asks, what the server can do, the heartbeat, submitted requests. */
import { EngineError } from "../../ports.ts";
import type { Submitted } from "../../tinker-wire/messages.ts";
import { accepted, type Answer, createEndpoint, type Endpoint, jsonOf } from "../endpoint.ts";
import { type Credential, keyCredential, tokenCredential } from "./credential.ts";
import { type FutureOptions, type Outcome, resultOf, submit } from "./futures.ts";
import { type Patience, persist } from "./patience.ts";

const HEARTBEAT_MS = 10_000;
const ASK_MS = 60_000;
/** The SDK whose requests these are; servers ask for a version. */
const SDK_VERSION = "0.25.0";

export interface ConnectionOptions {
  readonly baseUrl: string;
  /** Sent as `X-API-Key`. */
  readonly key?: string | undefined;
  readonly patience: Patience;
  readonly log: (line: string) => void;
}

/** What the server says of itself; the SDK's defaults where it says nothing. */
export interface ServerConfig {
  readonly chunkDataMax: number;
  /** Bytes of a request before compression. */
  readonly chunkBytesMax: number;
  readonly zstd: boolean;
}

interface ClientConfig {
  readonly pjwt_auth_enabled?: boolean;
  readonly proto_compress_fwdbwd?: boolean;
  readonly fwdbwd_max_chunk_len?: number;
  readonly fwdbwd_max_chunk_bytes_count?: number;
}

interface SupportedModel {
  readonly model_name: string;
  readonly max_context_length?: number;
}

export interface PostBody {
  readonly path: string;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export class Connection {
  readonly name: string;
  readonly config: ServerConfig;
  readonly models: readonly SupportedModel[];
  readonly sessionId: string;
  readonly #endpoint: Endpoint;
  readonly #credential: Credential;
  readonly #futures: FutureOptions;
  readonly #heartbeat: NodeJS.Timeout;
  #lost: EngineError | null = null;

  private constructor(
    endpoint: Endpoint,
    credential: Credential,
    options: ConnectionOptions,
    told: { config: ServerConfig; models: readonly SupportedModel[]; sessionId: string },
  ) {
    this.name = endpoint.name;
    this.config = told.config;
    this.models = told.models;
    this.sessionId = told.sessionId;
    this.#endpoint = endpoint;
    this.#credential = credential;
    this.#futures = {
      endpoint,
      patience: options.patience,
      headers: () => credential.headers(),
      onQueueState: (state, reason) => {
        if (state !== "active")
          options.log(`${endpoint.name}: ${state}${reason === null ? "" : `: ${reason}`}`);
      },
    };
    this.#heartbeat = setInterval(() => void this.#beat(), HEARTBEAT_MS).unref();
  }

  /** @throws EngineError when the server is away for longer than patience, or lets nobody in */
  static async open(options: ConnectionOptions): Promise<Connection> {
    const endpoint = createEndpoint({ baseUrl: options.baseUrl });
    try {
      const plain = keyCredential(options.key);
      const flags = await persist(options.patience, () => clientConfig(endpoint, plain));
      const credential =
        flags.pjwt_auth_enabled === true && options.key !== undefined
          ? tokenCredential(endpoint, options.key)
          : plain;
      const ask = async <T>(path: string, body?: unknown): Promise<T> => {
        const answer = await endpoint.ask({
          path,
          body,
          headers: await credential.headers(),
          timeoutMs: ASK_MS,
        });
        return jsonOf(endpoint.name, path, accepted(endpoint.name, path, answer)) as T;
      };
      const { supported_models } = await persist(options.patience, () =>
        ask<{ supported_models: SupportedModel[] }>("/api/v1/get_server_capabilities"),
      );
      const { session_id } = await persist(options.patience, () =>
        ask<{ session_id: string }>("/api/v1/create_session", {
          type: "create_session",
          tags: ["rollcall"],
          user_metadata: {},
          sdk_version: SDK_VERSION,
        }),
      );
      const config = {
        chunkDataMax: flags.fwdbwd_max_chunk_len ?? 1024,
        chunkBytesMax: flags.fwdbwd_max_chunk_bytes_count ?? 5_000_000,
        zstd: flags.proto_compress_fwdbwd ?? false,
      };
      return new Connection(endpoint, credential, options, {
        config,
        models: supported_models,
        sessionId: session_id,
      });
    } catch (error) {
      await endpoint.close();
      throw error;
    }
  }

  /** One request as it is, whatever the answer's status. @throws EngineError when none came */
  async post({ path, body, headers }: PostBody, signal?: AbortSignal): Promise<Answer> {
    if (this.#lost !== null) throw this.#lost;
    return this.#endpoint.ask({
      path,
      body,
      headers: { ...(await this.#credential.headers()), ...headers },
      signal,
      timeoutMs: ASK_MS,
    });
  }

  /** A request that is answered at once. @throws EngineError */
  async call<T>(path: string, body: unknown): Promise<T> {
    return persist(
      this.#futures.patience,
      async () => jsonOf(this.name, path, accepted(this.name, path, await this.post({ path, body }))) as T,
    );
  }

  async get(path: string): Promise<Answer> {
    return this.#endpoint.ask({ path, headers: await this.#credential.headers(), timeoutMs: ASK_MS });
  }

  async remove(path: string): Promise<Answer> {
    const headers = await this.#credential.headers();
    return this.#endpoint.ask({ path, method: "DELETE", headers, timeoutMs: ASK_MS });
  }

  /** @param send posts the request; called again when it did not arrive */
  submit(path: string, send: () => Promise<Answer>, signal?: AbortSignal): Promise<Submitted> {
    return submit(this.#futures, path, send, signal);
  }

  result(
    what: string,
    submitted: Submitted,
    resubmit: () => Promise<Submitted>,
    signal?: AbortSignal,
  ): Promise<Outcome> {
    return resultOf(this.#futures, what, submitted, resubmit, signal);
  }

  async close(): Promise<void> {
    clearInterval(this.#heartbeat);
    await this.#endpoint.close();
  }

  async #beat(): Promise<void> {
    try {
      const answer = await this.post({
        path: "/api/v1/session_heartbeat",
        body: { type: "session_heartbeat", session_id: this.sessionId },
      });
      if (answer.status === 404)
        this.#lost = new EngineError(`${this.name} dropped the session ${this.sessionId}`, {
          retryable: false,
        });
    } catch {
      // A beat that does not arrive is made up for by the next; servers wait for minutes.
    }
  }
}

async function clientConfig(endpoint: Endpoint, credential: Credential): Promise<ClientConfig> {
  const path = "/api/v1/client/config";
  const answer = await endpoint.ask({
    path,
    body: { sdk_version: SDK_VERSION },
    headers: await credential.headers(),
    timeoutMs: ASK_MS,
  });
  // Servers older than the call have nothing to tell.
  if (answer.status === 404 || answer.status === 405) return {};
  return jsonOf(endpoint.name, path, accepted(endpoint.name, path, answer)) as ClientConfig;
}

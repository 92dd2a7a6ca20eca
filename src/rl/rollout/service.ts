/**
 * The service as the loop needs it. A rollout cannot tell a service that is down from one that is slow: its call is
 * sent again until there is an answer, all rollouts waiting together, and nothing is scored meanwhile. Only what the
 * service says about a call counts against it.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { SandboxError, type Client } from "../../client/index.ts";

export interface ServiceOptions {
  /** How long a service that cannot be reached is waited for. Milliseconds. */
  readonly patienceMs: number;
  /** Time between two looks whether it is back. Milliseconds. */
  readonly lookEveryMs: number;
  /** Told once when the service went and once when it is back. */
  readonly onChange?: (state: "down" | "back", message: string) => void;
}

/** What rollouts and graders use of the client. */
export interface Service {
  execute: Client["execute"];
  verify: Client["verify"];
}

/** The service stayed away for longer than the loop's patience. The run can be resumed from its last checkpoint. */
export class ServiceGone extends Error {
  override readonly name = "ServiceGone";
}

/** Whether the same request may be answered once the service is itself again. */
function isPassing(error: unknown): error is SandboxError {
  return error instanceof SandboxError && error.retryable;
}

/** @returns the client's calls, which outlast a service that goes and comes back */
export function createService(client: Client, options: ServiceOptions): Service {
  let away: Promise<void> | null = null;

  async function waitUntilBack(cause: SandboxError): Promise<void> {
    options.onChange?.("down", cause.message);
    const until = performance.now() + options.patienceMs;
    for (;;) {
      await sleep(options.lookEveryMs);
      const back = await client.describe().then(
        () => true,
        () => false,
      );
      if (back) break;
      if (performance.now() > until)
        throw new ServiceGone(
          `the service was away for ${Math.round(options.patienceMs / 1000)} s: ${cause.message}`,
          {
            cause,
          },
        );
    }
    options.onChange?.("back", "the service answers again");
  }

  async function outlast<T>(send: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await send();
      } catch (error) {
        if (!isPassing(error)) throw error;
        away ??= waitUntilBack(error).finally(() => {
          away = null;
        });
        await away;
      }
    }
  }

  return {
    execute: (call, execute) => outlast(() => client.execute(call, execute)),
    verify: (verification, execute) => outlast(() => client.verify(verification, execute)),
  };
}

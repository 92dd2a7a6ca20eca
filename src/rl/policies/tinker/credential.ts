/**
 * The header that says who asks. The hosted service may want a short-lived token instead of the key, got for the key
 * and renewed before it expires. Neither is part of any message or log line.
 */
import { accepted, type Endpoint, jsonOf } from "../endpoint.ts";

const PATH = "/api/v1/auth/token";
/** A token with less time left is renewed. Seconds. */
const RENEW_SECONDS = 120;
const ASK_MS = 30_000;

export interface Credential {
  headers(): Promise<Record<string, string>>;
}

export function keyCredential(key: string | undefined): Credential {
  const headers = key === undefined ? {} : { "x-api-key": key };
  return { headers: () => Promise.resolve(headers) };
}

/** @returns seconds since 1970, or 0 for a token whose expiry cannot be read */
function expiryOf(token: string): number {
  try {
    const payload = Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8");
    return Number((JSON.parse(payload) as { exp?: unknown }).exp) || 0;
  } catch {
    return 0;
  }
}

/** Exchanges the key for a token when there is none or it ends soon; askers at the same time share one exchange. */
export function tokenCredential(endpoint: Endpoint, key: string): Credential {
  let token: { readonly value: string; readonly expires: number } | null = null;
  let renewal: Promise<void> | null = null;
  const renew = async (): Promise<void> => {
    const answer = await endpoint.ask({
      path: PATH,
      body: {},
      headers: { "x-api-key": key },
      timeoutMs: ASK_MS,
    });
    const { jwt } = jsonOf(endpoint.name, PATH, accepted(endpoint.name, PATH, answer)) as { jwt: string };
    token = { value: jwt, expires: expiryOf(jwt) };
  };
  return {
    async headers() {
      if (token === null || token.expires - Date.now() / 1000 < RENEW_SECONDS) {
        renewal ??= renew().finally(() => (renewal = null));
        await renewal;
      }
      return { "x-api-key": token?.value ?? key };
    },
  };
}

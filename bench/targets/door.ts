/** Our own service through its drop-in APIs: what a server needs to be started with, and the target that asks it. */
import { WIRE_NAMES, type WireName } from "../../src/contract/wire.ts";
import { ENDLESS_WALL_MS } from "../load/mixes.ts";
import type { PeerOptions } from "../peers/driver.ts";
import { DRIVERS } from "../peers/registry.ts";
import type { Target } from "./target.ts";

/** APIs with one wall limit for all programs, which the configuration states. */
const CONFIGURED_WALL: ReadonlySet<WireName> = new Set([
  "code-judge",
  "dify-sandbox",
  "verl-tool",
  "openenv",
]);

/** Where an API is when others are beside it: several of them have the same paths. */
const prefixOf = (api: WireName): string => `/${api}`;

/** Flags of a service that answers all of the APIs, each below its own prefix; the wall limit is that of the other targets. */
export function doorFlags(apis: readonly WireName[]): string[] {
  const places = apis.flatMap((api) => [`--wire.${api}.prefix`, prefixOf(api)]);
  const walls = apis
    .filter((api) => CONFIGURED_WALL.has(api))
    .flatMap((api) => [`--wire.${api}.wallMs`, String(ENDLESS_WALL_MS)]);
  return ["--wire", apis.join(","), ...places, ...walls];
}

/**
 * One of the APIs of a service that was started with {@link doorFlags}.
 * @param options `url` is the service's own.
 */
export function createDoorTarget(api: WireName, options: PeerOptions): Target {
  return openDoor(api, {
    ...options,
    url: `${options.url}${prefixOf(api)}`,
    metricsUrl: options.url,
  });
}

/** The same by the base URL of the API itself. */
export function openDoor(api: WireName, options: PeerOptions): Target {
  // Of the originals' bounds on output, ours has code-judge's by default and not Piston's.
  const bounds = api === "piston" ? { charactersMax: Infinity } : {};
  return DRIVERS[api]({ ...options, ...bounds, name: `rollcall as ${api}` });
}

export { WIRE_NAMES as API_NAMES };

/**
 * Calls that wait for a slot of one pool, in the order in which they are granted one.
 *
 * Between priorities and between tenants by stride scheduling: whoever has had the least for its weight is next,
 * so that a low priority waits longer and never for ever, and one tenant's burst of thousands delays another's
 * single call by one turn. Within a tenant and priority: first come, first served.
 */
import type { Priority } from "../contract/call.ts";
import { type Linked, LinkedQueue } from "../lib/linked-queue.ts";

export interface Queued {
  readonly tenant: string;
  readonly priority: Priority;
  readonly bytes: number;
}

/** Of twenty-one grants under contention, how many each priority gets. */
const WEIGHTS: Readonly<Record<Priority, number>> = { high: 16, normal: 4, low: 1 };

/** What was granted so far, divided by weight; the least goes next. */
interface Turn {
  pass: number;
}

interface TenantTurn<T extends Queued & Linked<T>> extends Turn {
  readonly calls: LinkedQueue<T>;
}

interface Lane<T extends Queued & Linked<T>> extends Turn {
  readonly weight: number;
  readonly tenants: Map<string, TenantTurn<T>>;
  /** Pass of the tenant that was served last; nobody who waits is more than one turn past it. */
  floor: number;
  length: number;
}

export class CallQueue<T extends Queued & Linked<T>> {
  readonly #lanes: ReadonlyMap<Priority, Lane<T>>;
  #length = 0;
  #bytes = 0;
  #floor = 0;

  constructor() {
    this.#lanes = new Map(
      (Object.keys(WEIGHTS) as Priority[]).map((priority) => [
        priority,
        { weight: WEIGHTS[priority], tenants: new Map(), pass: 0, floor: 0, length: 0 },
      ]),
    );
  }

  get length(): number {
    return this.#length;
  }

  get bytes(): number {
    return this.#bytes;
  }

  push(call: T): void {
    this.#tenantOf(call).calls.pushLast(call);
    this.#count(call, 1);
  }

  /** Back to the head of its line: for a call whose sandbox failed. */
  pushFront(call: T): void {
    this.#tenantOf(call).calls.pushFirst(call);
    this.#count(call, 1);
  }

  remove(call: T): void {
    const lane = this.#lane(call.priority);
    const tenant = lane.tenants.get(call.tenant) as TenantTurn<T>;
    tenant.calls.remove(call);
    if (tenant.calls.length === 0) lane.tenants.delete(call.tenant);
    this.#count(call, -1);
  }

  take(): T | null {
    if (this.#length === 0) return null;
    const lane = leastPass(this.#lanes.values(), hasCalls);
    if (lane === null) return null;
    const tenant = leastPass(lane.tenants.values());
    const call = tenant?.calls.takeFirst() ?? null;
    if (tenant === null || call === null) return null;
    this.#floor = lane.pass;
    lane.pass += 1 / lane.weight;
    lane.floor = tenant.pass;
    tenant.pass += 1;
    if (tenant.calls.length === 0) lane.tenants.delete(call.tenant);
    this.#count(call, -1);
    return call;
  }

  #lane(priority: Priority): Lane<T> {
    return this.#lanes.get(priority) as Lane<T>;
  }

  #tenantOf(call: T): TenantTurn<T> {
    const lane = this.#lane(call.priority);
    // Who was away has saved nothing up.
    if (lane.length === 0) lane.pass = Math.max(lane.pass, this.#floor);
    let tenant = lane.tenants.get(call.tenant);
    if (tenant === undefined) {
      // Behind all who wait already: one who comes back as soon as it was served would else always be next.
      tenant = { calls: new LinkedQueue<T>(), pass: lane.floor + 1 };
      lane.tenants.set(call.tenant, tenant);
    }
    return tenant;
  }

  #count(call: T, sign: 1 | -1): void {
    this.#length += sign;
    this.#bytes += sign * call.bytes;
    this.#lane(call.priority).length += sign;
  }
}

const hasCalls = ({ length }: { readonly length: number }): boolean => length > 0;

function leastPass<U extends Turn>(turns: Iterable<U>, may: (turn: U) => boolean = () => true): U | null {
  let least: U | null = null;
  for (const turn of turns) if (may(turn) && (least === null || turn.pass < least.pass)) least = turn;
  return least;
}

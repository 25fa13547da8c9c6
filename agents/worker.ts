import { parentPort, workerData } from 'node:worker_threads';
import { COMMAND, Control, STATE } from './control.js';
import { COUNTER_INDEX, Counters } from './counters.js';
import { Fleet, type FleetPlan } from './fleet.js';
import { heldBytes } from './heap.js';
import { LegStore, RegistrationStore } from './store.js';
import { hostActors } from './thread.js';
import { isIp6 } from './wire/ip6.js';
import type { MediaWish } from './wire/media.js';
import { openTap, type TapBuffers } from './wire/tap.js';
import { publishWire } from './wire-counters.js';

/** What the control plane hands to an agents' thread. */
export interface AgentsData {
  plan: FleetPlan;
  arrivals: SharedArrayBuffer;
  legs: SharedArrayBuffer;
  legCapacity: number;
  /** Absent where no phone registers. */
  registrations?: { shared: SharedArrayBuffer; capacity: number } | null;
  /** Absent where nobody asked for packets. */
  tap?: TapBuffers | null;
  counters: SharedArrayBuffer;
  control: SharedArrayBuffer;
  media: MediaWish;
}

/** A phase of the media engine: nothing leaves more often. */
const REST_US = 500;
/** How often counters of the wire are copied out, us. */
const PUBLISH_US = 50_000;

const data = workerData as AgentsData;
const control = new Control(data.control);
const counters = new Counters(data.counters);

await hostActors(
  control,
  parentPort!,
  data.media,
  REST_US,
  (wire, t0Us, streams) => {
    // Of calls the tables are larger than of phones: what phones take is told by a run that has no calls.
    const measured = data.plan.registrants !== undefined && data.arrivals.byteLength === 0;
    const heldBefore = measured ? heldBytes() : 0;
    const store = new LegStore(data.legs, data.legCapacity);
    const r = data.registrations ?? null;
    const registrations = r === null ? null : new RegistrationStore(r.shared, r.capacity);
    const fleet = new Fleet(
      wire,
      data.plan,
      new Float64Array(data.arrivals),
      store,
      counters,
      t0Us,
      registrations,
      streams,
      data.tap ? openTap(data.tap) : null,
    );
    const v = counters.values;
    let published = 0;
    let hungUp = false;
    return {
      actors: [fleet],
      info: { mediaKinds: fleet.mediaKinds },
      ip6: isIp6(data.plan.callers?.ip ?? data.plan.callees?.ip ?? 0),
      close: async () => {
        if (!measured) return;
        const records = data.registrations?.shared.byteLength ?? 0;
        v[COUNTER_INDEX.phoneBytes] = heldBytes() - heldBefore + records;
      },
      onTurn: (nowUs) => {
        if (control.command === COMMAND.HANG_UP && !hungUp) {
          hungUp = true;
          fleet.hangUpAll(nowUs);
        }
        if (nowUs - published < PUBLISH_US) return;
        published = nowUs;
        publishWire(v, wire.counters, streams?.counters ?? null);
        v[COUNTER_INDEX.busyUs] = control.busyUs;
        v[COUNTER_INDEX.idleUs] = control.idleUs;
        control.state = fleet.idle ? STATE.IDLE : STATE.READY;
      },
    };
  },
  data.plan.streams ?? null,
);

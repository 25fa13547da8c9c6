import type { CallPlan, RegistrationPlan } from '../harness/plan/types.js';
import type { Counters } from './counters.js';
import { dialer, Population, type User } from './identity.js';
import { PhoneCalls } from './phone-calls.js';
import { PhoneParty } from './phone-party.js';
import { ROLE } from './record.js';
import { Registrant } from './registrant.js';
import { MediaEngine } from './rtp/media.js';
import type { Route } from './service-route.js';
import { ascii, latin1 } from './sip/text.js';
import type { LegStore, RegistrationStore } from './store.js';
import { Caller } from './uac.js';
import { Callee } from './uas.js';
import { behindGateway } from './wire/gateway.js';
import type { StreamPlan } from './wire/stream-options.js';
import { TAP_PHONES, type Tap, tapped } from './wire/tap.js';
import { type Actor, ipToString, type MediaPorts, type Wire } from './wire/types.js';

/** All that one worker hosts, as data that can cross a thread or a process. */
export interface FleetPlan {
  worker: number;
  seed: number;
  /** 16 bits; differs between workers of one run, and between runs against the same target. */
  salt: number;
  runTag: string;
  maxCalls: number;
  call: CallPlan;
  /** Where workers share an address they share out its ports; without it all are this worker's. */
  mediaPorts?: { min: number; max: number };
  /** Callers; null in a worker that only answers. */
  callers: {
    ip: number;
    /** Subscribers behind a router send everything through it. */
    gateway: { ip: number; port: number } | null;
    hop: { ip: number; port: number };
    domain: string;
    user: string | null;
    first: number;
    stride: number;
  } | null;
  /** `streams`: they listen on the stream transport, and not on UDP. */
  callees: { ip: number; port: number; maxCalls: number; streams?: boolean } | null;
  /** How callers and phones reach their hop; without it over UDP. */
  streams?: StreamPlan | null;
  /** Phones that register; this worker has first, first + stride, ... of them. */
  registrants?: {
    plan: RegistrationPlan;
    users: readonly User[] | null;
    ip: number;
    hop: { ip: number; port: number };
    first: number;
    stride: number;
    untilMs: number;
    /** They take calls, and place those of the plan if `place` is there: it says where. Absent: neither. */
    calls?: { maxCalls: number; place: { ip: number; port: number } | null };
  };
  /** Outbound proxy of callers and phones (RFC 3261 8.1.2), as the URI of a Route; it is their hop. */
  proxy?: { uri: string; ip: number; port: number } | null;
}

function isOver(caller: Caller | null): boolean {
  return caller === null || (caller.exhausted && caller.callsUp === 0);
}

const NO_ARRIVALS = new Float64Array(0);
const MEDIA_PORT_MIN = 10_000;
const MEDIA_PORT_MAX = 65_535;

/** The agents of one worker on one wire: callers, called parties, and their audio. */
export class Fleet implements Actor {
  readonly caller: Caller | null = null;
  readonly callee: Callee | null = null;
  readonly registrant: Registrant | null = null;
  /** Calls of the phones. */
  phones: Caller | null = null;
  readonly mediaKinds: string[] = [];
  readonly #actors: Actor[] = [];

  constructor(
    wire: Wire,
    plan: FleetPlan,
    arrivals: Float64Array,
    store: LegStore,
    counters: Counters,
    t0Us: number,
    registrations: RegistrationStore | null = null,
    streams: Wire | null = null,
    tap: Tap | null = null,
  ) {
    const { min: portMin, max: portMax } = plan.mediaPorts ?? { min: MEDIA_PORT_MIN, max: MEDIA_PORT_MAX };
    const watched = (on: Wire, role: number): Wire => (tap === null ? on : tapped(on, tap, role));
    const media = (on: Wire, ip: number, maxLegs: number): MediaEngine | null => {
      if (plan.call.media === 'none') return null;
      const engine = new MediaEngine({
        store,
        counters,
        nowUs: wire.nowUs(),
        maxLegs,
        t0Us,
        rtcp: plan.call.rtcp,
        ptimeMs: 20,
        ...(wire.kind === 'memory' ? {} : { clockUs: () => wire.nowUs() }),
      });
      const ports: MediaPorts = on.openMedia({ ip, portMin, portMax }, engine.sink);
      engine.attach(ports);
      this.mediaKinds.push(ports.kind);
      this.#actors.push(engine);
      return engine;
    };
    const { worker, seed, salt, runTag, maxCalls, call } = plan;
    const common = { seed, worker, maxCalls, t0Us, store, counters };
    if (plan.callees !== null) {
      const { ip, port, maxCalls: room } = plan.callees;
      const on = watched(wire, ROLE.CALLEE);
      const sip = watched((plan.callees.streams && streams) || wire, ROLE.CALLEE);
      this.callee = new Callee(sip, {
        ...common,
        maxCalls: room,
        ip,
        port,
        call,
        ringMs: call.ringMs,
        ordinaryFailures: call.ordinaryFailures ?? 0,
        salt: salt ^ 0x5555,
        media: media(on, ip, room),
      });
      this.#actors.push(this.callee);
    }
    const phones = plan.registrants;
    const route: Route | null = plan.proxy ? { ...plan.proxy, lines: ascii(`Route: <${plan.proxy.uri}>\r\n`) } : null;
    if (plan.callers !== null) {
      const { ip, gateway, hop, domain, user, first, stride } = plan.callers;
      // Before the router's wrapping: what the phone itself would see.
      const on = watched(gateway === null ? wire : behindGateway(wire, gateway.ip, gateway.port), ROLE.CALLER);
      this.caller = new Caller(streams === null ? on : watched(streams, ROLE.CALLER), {
        ...common,
        ip,
        port: 0,
        hopIp: hop.ip,
        hopPort: hop.port,
        domain,
        user,
        ...(phones?.plan.called
          ? dialer(new Population(phones.plan, seed, phones.users), phones.plan.phones, seed, domain)
          : {}),
        ...(route === null ? {} : { lines: latin1(route.lines, 0, route.lines.length) }),
        arrivals,
        first,
        stride,
        call,
        salt,
        runTag,
        media: media(on, ip, maxCalls),
      });
      this.#actors.push(this.caller);
    }
    if (phones !== undefined && registrations !== null) {
      const { hop, calls, ...rest } = phones;
      const takesCalls = calls !== undefined;
      this.registrant = new Registrant(takesCalls ? watched(streams ?? wire, TAP_PHONES) : (streams ?? wire), {
        ...rest,
        route: route?.lines ?? null,
        hopIp: hop.ip,
        hopPort: hop.port,
        seed,
        salt: salt ^ 0x2222,
        runTag,
        worker,
        t0Us,
        store: registrations,
        counters,
      });
      this.#actors.push(this.registrant);
      if (calls === undefined || this.registrant.phones === 0) return;
      const on = watched(wire, TAP_PHONES);
      const { first, stride, ip, plan: population } = phones;
      const at = calls.place ?? hop;
      const chosen = new PhoneCalls(new Population(population, seed, phones.users), population.phones, stride, seed);
      this.registrant.takeCalls((parts, msg) => {
        const party = new PhoneParty(parts, chosen, at, route, population.calling === true);
        const { ringMs, ordinaryFailures = 0 } = call;
        const made = new Caller(on, {
          ...common,
          maxCalls: calls.maxCalls,
          ip,
          port: 0,
          hopIp: at.ip,
          hopPort: at.port,
          domain: ipToString(at.ip),
          user: null,
          dial: (callNo) => party.calledBy(callNo),
          tenant: (callNo) => parts.population.tenant(chosen.calledOf(callNo)),
          phones: { party, msg, ringMs, ordinaryFailures },
          arrivals: calls.place === null ? NO_ARRIVALS : arrivals,
          first,
          stride,
          call,
          salt: salt ^ 0x3333,
          runTag,
          media: media(on, ip, calls.maxCalls),
        });
        this.phones = made;
        this.#actors.push(made);
        return made;
      });
    }
  }

  /** No further arrivals; calls that are up are hung up. */
  hangUpAll(nowUs: number): void {
    this.caller?.hangUpAll(nowUs);
    this.phones?.hangUpAll(nowUs);
    this.registrant?.stop();
  }

  /** No arrivals are left, no call is up, and no phone waits for an answer. */
  get idle(): boolean {
    if (this.registrant !== null && !this.registrant.idle) return false;
    return isOver(this.caller) && isOver(this.phones) && this.calleeIdle;
  }
  get calleeIdle(): boolean {
    return this.callee === null || this.callee.callsUp === 0;
  }

  tick(nowUs: number): number {
    let due = Number.POSITIVE_INFINITY;
    for (let i = 0; i < this.#actors.length; i++) {
      const next = this.#actors[i]!.tick(nowUs);
      if (next < due) due = next;
    }
    return due;
  }
}

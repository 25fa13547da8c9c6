import { Counters } from '../agents/counters.js';
import { Registrant } from '../agents/registrant.js';
import { RegistrationStore } from '../agents/store.js';
import { MemoryWorld } from '../agents/wire/memory.js';
import { ipFromString, type Wire } from '../agents/wire/types.js';
import type { Registrar } from '../harness/lab/embedded/registrar.js';
import { phonesPlan } from './plan.js';

export const WARM_PHONES = 3_000;
const ROUNDS = 5;
const SERVER = ipFromString('10.0.0.1');

/** Registers phones in memory until the compiler has seen it all: a trial must not begin with a registrar that is slow at first. */
export function warm(open: (wire: Wire, ip: number) => Registrar): void {
  const world = new MemoryWorld({ seed: 1 });
  const there = world.wire('registrar');
  world.add(open(there, SERVER), there);
  const here = world.wire('phones');
  const task = {
    localIp: '10.0.1.1',
    targetIp: '10.0.0.1',
    targetPort: 5060,
    users: '',
    phones: WARM_PHONES,
    rate: 1000,
  };
  const { plan, ...rest } = phonesPlan({ ...task, phonesPerSocket: WARM_PHONES }, null).registrants!;
  const waves = Array.from({ length: ROUNDS }, (_, i) => ({ ...plan.waves[0]!, atMs: i * 4000 }));
  const { store } = RegistrationStore.create(8192);
  const phones = new Registrant(here, {
    ...rest,
    plan: { ...plan, waves },
    hopIp: SERVER,
    hopPort: 5060,
    seed: 1,
    salt: 1,
    runTag: 'warm',
    worker: 0,
    t0Us: 0,
    store,
    counters: new Counters(),
  });
  world.add(phones, here);
  for (let us = 0; us < ROUNDS * 4e6; us += 250_000) {
    world.runUntil(us);
    store.drain(() => undefined);
  }
}

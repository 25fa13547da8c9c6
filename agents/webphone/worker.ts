import { parentPort, workerData } from 'node:worker_threads';
import { COMMAND, Control, STATE } from '../control.js';
import { COUNTER_INDEX, Counters } from '../counters.js';
import { LegStore, RegistrationStore } from '../store.js';
import { hostActors } from '../thread.js';
import { Webphones, type WebphonesOptions } from './webphones.js';
import { provideWebSocket } from './websocket.js';

/** What the control plane hands to the webphones' thread. */
export interface WebphonesData extends Omit<WebphonesOptions, 't0Us' | 'legs' | 'registrations' | 'counters'> {
  /** PEM file of the authority that signed the server's certificate; null: those that Node trusts. */
  ca: string | null;
  legs: SharedArrayBuffer;
  legCapacity: number;
  registrations: SharedArrayBuffer;
  registrationCapacity: number;
  counters: SharedArrayBuffer;
  control: SharedArrayBuffer;
}

const data = workerData as WebphonesData;
const control = new Control(data.control);
const counters = new Counters(data.counters);
provideWebSocket(data.ca);

// dgram: sip.js lives on the event loop, which the batched wire would not return to.
await hostActors(control, parentPort!, 'dgram', 0, (wire, t0Us) => {
  const phones = new Webphones(wire, {
    ...data,
    t0Us,
    legs: new LegStore(data.legs, data.legCapacity),
    registrations: new RegistrationStore(data.registrations, data.registrationCapacity),
    counters,
  });
  const v = counters.values;
  let hungUp = false;
  return {
    actors: [phones],
    info: null,
    onTurn: () => {
      if (control.command === COMMAND.HANG_UP && !hungUp) {
        hungUp = true;
        phones.hangUpAll();
      }
      v[COUNTER_INDEX.busyUs] = control.busyUs;
      v[COUNTER_INDEX.idleUs] = control.idleUs;
      control.state = phones.idle ? STATE.IDLE : STATE.READY;
    },
    close: () => phones.close(),
  };
});
// sip.js keeps timers of transactions that are over for 32 s: there is nobody left to wait for them.
process.exit(0);

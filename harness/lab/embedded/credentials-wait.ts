import { SipMessage } from '../../../agents/sip/parse.js';
import type { ThreadPool } from './threads.js';

/** A request under way: `copy` is its datagram, once a thread waits with it; before, it is where it came in. */
export interface Kept {
  msg: SipMessage;
  copy: Uint8Array | null;
}

/** A thread that waits for an answer of the database, and the request that it holds meanwhile. */
export class ThreadWait {
  /** Datagrams that waited are parsed again here; each is done with it before the next one wakes. */
  readonly #again = new SipMessage();

  constructor(
    private readonly pool: ThreadPool,
    private readonly onWake: () => void,
  ) {}

  /** Goes on at once when the answer is there at once (a refusal); else the thread is taken until it comes. */
  wait<T>(
    kept: Kept,
    ask: (done: (value: T, err: string | null) => void) => void,
    then: (value: T, err: string | null) => void,
  ): void {
    let held = false;
    let early: readonly [T, string | null] | null = null;
    ask((value, err) => {
      if (!held) {
        early = [value, err];
        return;
      }
      this.onWake();
      kept.msg = this.#again;
      this.#again.parse(kept.copy!, 0, kept.copy!.length);
      then(value, err);
      this.pool.release();
    });
    if (early !== null) {
      then(...(early as readonly [T, string | null]));
      return;
    }
    held = true;
    const { bytes, off, end } = kept.msg;
    kept.copy ??= new Uint8Array(bytes.subarray(off, end));
    this.pool.occupy();
  }
}

/**
 * What really became of each fault on the platform, in shared memory: written by its thread, read by the engine. It is
 * no telemetry: the diagnosis must not see it.
 */
export interface FaultState {
  /** On the platform's clock; NaN: not yet. */
  appliedAtUs: number;
  removedAtUs: number;
  /** The part was looked at after the removal, and was as before. */
  clear: boolean;
  /** Datagrams that were looked at, and those that something was done to. NaN where it is not about datagrams. */
  seen: number;
  hit: number;
}

const FIELDS = 5;

export class FaultBoard {
  readonly #numbers: Float64Array;

  constructor(readonly shared: SharedArrayBuffer) {
    this.#numbers = new Float64Array(shared);
  }

  static create(faults: number): FaultBoard {
    const board = new FaultBoard(new SharedArrayBuffer(Math.max(1, faults) * FIELDS * 8));
    board.#numbers.fill(Number.NaN);
    return board;
  }

  read(fault: number): FaultState {
    const [appliedAtUs, removedAtUs, clear, seen, hit] = this.#numbers.subarray(fault * FIELDS, (fault + 1) * FIELDS);
    return { appliedAtUs: appliedAtUs!, removedAtUs: removedAtUs!, clear: clear === 1, seen: seen!, hit: hit! };
  }

  write(fault: number, state: Partial<FaultState>): void {
    const at = fault * FIELDS;
    const n = this.#numbers;
    if (state.appliedAtUs !== undefined) n[at] = state.appliedAtUs;
    if (state.removedAtUs !== undefined) n[at + 1] = state.removedAtUs;
    if (state.clear !== undefined) n[at + 2] = state.clear ? 1 : 0;
    if (state.seen !== undefined) n[at + 3] = state.seen;
    if (state.hit !== undefined) n[at + 4] = state.hit;
  }
}

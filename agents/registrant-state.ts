/** What is known of each phone of one worker, by its index: 37 bytes a phone. */
export class PhoneStates {
  /** Client transaction and record of the attempt under way; -1: none. */
  readonly tx: Int32Array;
  readonly record: Int32Array;
  readonly cseq: Uint32Array;
  /** How often it was restarted. */
  readonly boot: Uint16Array;
  /** Of the plan, the last one that it was in. */
  readonly wave: Uint8Array;
  /** 1 while it holds a binding, as far as it knows. */
  readonly bound: Uint8Array;
  /** In a row. */
  readonly failures: Uint16Array;
  /** Requests with its nonce. */
  readonly nc: Uint32Array;
  /** 1: its challenge was a 407. */
  readonly proxy: Uint8Array;
  /** What it asks for: more than the plan's after a 423. */
  readonly expiresS: Uint32Array;
  /** Of its next attempt. */
  readonly intendedUs: Float64Array;

  constructor(n: number, expiresS: number) {
    this.tx = new Int32Array(n).fill(-1);
    this.record = new Int32Array(n).fill(-1);
    this.cseq = new Uint32Array(n);
    this.boot = new Uint16Array(n);
    this.wave = new Uint8Array(n);
    this.bound = new Uint8Array(n);
    this.failures = new Uint16Array(n);
    this.nc = new Uint32Array(n);
    this.proxy = new Uint8Array(n);
    this.expiresS = new Uint32Array(n).fill(expiresS);
    this.intendedUs = new Float64Array(n);
  }
}

/**
 * Chance by a packet's identity: the same seed, flow and index in the flow give the same number, whatever else went over
 * the link in between. So a run and its repetition lose the same packets.
 */

/** The separate questions that are asked about one packet. */
export const ASK = { LOSS: 1, DELAY: 2, REORDER: 3, DUPLICATE: 4 } as const;

/** MurmurHash3's finaliser: every bit of the input moves half of the bits of the output. */
function stir(x: number): number {
  let z = x;
  z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
  z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
  return (z ^ (z >>> 16)) >>> 0;
}

/** A number for a flow of two 32-bit words, under a seed. */
export function flowSeed(seed: number, a: number, b: number): number {
  return stir(stir(stir(seed ^ 0x9e3779b9) ^ a) ^ b);
}

/** Uniform in [0, 1). */
export function chance(flow: number, index: number, ask: number): number {
  return stir(stir(flow ^ Math.imul(index + 1, 0x9e3779b1)) ^ Math.imul(ask, 0x7feb352d)) / 0x100000000;
}

import { readHex, writeHex } from './text.js';

/** Tags of ours carry the call's slot, so that an in-dialog request finds its call without a table. */
export const TAG_LENGTH = 5 + 4 + 4;

export function writeTag(to: Uint8Array, at: number, slot: number, generation: number, salt: number): number {
  return writeHex(to, writeHex(to, writeHex(to, at, slot, 5), generation & 0xffff, 4), salt, 4);
}

/** The slot, or -1 when the tag is not ours or is of an earlier call in that slot. */
export function slotOfTag(bytes: Uint8Array, off: number, len: number, salt: number, generations: Uint16Array): number {
  if (len !== TAG_LENGTH || readHex(bytes, off + 9, 4) !== salt) return -1;
  const slot = readHex(bytes, off, 5);
  if (slot < 0 || slot >= generations.length) return -1;
  return generations[slot] === readHex(bytes, off + 5, 4) ? slot : -1;
}

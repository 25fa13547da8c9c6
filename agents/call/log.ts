import { O } from '../leg.js';
import { LEG_FIELDS } from '../record.js';
import { digitsOf, writeUint } from '../sip/text.js';
import type { CallTable } from './table.js';

/** What is noted of a request within the dialog: the letter stands in the record's dialogLog. */
export const NOTE = {
  REINVITE: 73, // I
  HOLD: 72, // H
  RESUME: 82, // R
  MEDIA: 77, // M
  UPDATE: 85, // U
  SESSION: 83, // S, a session refresh of ours, by re-INVITE or UPDATE
  REFER: 70, // F
  NOTIFY: 78, // N
  PRACK: 80, // P
} as const;

export const SENT = 62; // >
export const RECEIVED = 60; // <

const ROOM = LEG_FIELDS.dialogLog.text;
const line = new Uint8Array(24);

/** Appends '>H2000:200 ' to the call's log; what finds no room is left out, and the counters still tell of it. */
export function noteInDialog(table: CallTable, slot: number, way: number, what: number, us: number, status: number) {
  const { store } = table;
  const record = table.record[slot]!;
  const at = Math.max(0, Math.round(table.ms(us) - store.getF64(record, O.startedMs)));
  const length = 4 + digitsOf(at) + digitsOf(status);
  const start = store.at(record) + O.dialogLog;
  let used = 0;
  while (used < ROOM && store.u8[start + used] !== 0) used++;
  if (used + length > ROOM) return;
  line[0] = way;
  line[1] = what;
  let p = writeUint(line, 2, at);
  line[p++] = 58;
  p = writeUint(line, p, status);
  line[p++] = 32;
  for (let i = 0; i < p; i++) store.u8[start + used + i] = line[i]!;
}

import { COUNTER_INDEX, type Counter } from './counters.js';
import type { StreamCounters } from './wire/stream-options.js';
import type { WireCounters } from './wire/types.js';

/** Where a wire's counts are published. */
const STREAM: Partial<Record<keyof StreamCounters, Counter>> = {
  dialled: 'connectionsDialled',
  redialled: 'connectionsRedialled',
  connected: 'connectionsMade',
  accepted: 'connectionsAccepted',
  refused: 'connectionsRefused',
  reset: 'connectionsReset',
  closed: 'connectionsClosed',
  timedOut: 'connectionsTimedOut',
  unreached: 'connectionsUnreached',
  tlsFailed: 'connectionsTlsFailed',
  webSocketFailed: 'connectionsWebSocketFailed',
  noRoom: 'connectionsNoRoom',
  tooLong: 'streamMessagesTooLong',
  noLength: 'streamMessagesUnframed',
  pings: 'keepAlivePings',
  pongs: 'keepAlivePongs',
  pongTimeouts: 'keepAliveTimeouts',
  open: 'connectionsOpen',
  connecting: 'connectionsConnecting',
};
const FIELDS = Object.entries(STREAM).map(
  ([field, name]) => [field as keyof StreamCounters, COUNTER_INDEX[name]] as const,
);

/** Copies what the wires of one worker counted into its shared counters. */
export function publishWire(values: Float64Array, wire: WireCounters, streams: StreamCounters | null): void {
  values[COUNTER_INDEX.sendDropped] = wire.sendDropped + (streams?.sendDropped ?? 0);
  values[COUNTER_INDEX.receiveDropped] = wire.receiveDropped;
  values[COUNTER_INDEX.unreachable] = wire.unreachable + (streams?.refused ?? 0);
  if (streams === null) return;
  for (const [field, index] of FIELDS) values[index] = streams[field];
}

import { HarnessError } from '../errors.js';
import { overlap } from '../lab/docker/networks.js';
import { isLoopback } from '../plan/host.js';

export interface Permissions {
  /** Of the networks that we made, in CIDR notation. */
  subnets: readonly string[];
  /** Hosts and containers that the operator named with --authorise. */
  authorised: readonly string[];
}

/** Loopback and our own networks may be broken; anything else the operator has to name. Throws NOT_AUTHORISED. */
export function authoriseAddress(what: string, host: string, { subnets, authorised }: Permissions): void {
  if (isLoopback(host) || host === 'localhost' || authorised.includes(host)) return;
  if (subnets.some((subnet) => overlap(subnet, `${host}/32`))) return;
  throw new HarnessError(
    'NOT_AUTHORISED',
    `${what}: ${host} is neither loopback nor in a network that deadair made; if you may break it, add --authorise ${host}`,
  );
}

/** A container that is not of a stack of ours. Throws NOT_AUTHORISED. */
export function authoriseContainer(what: string, container: string, { authorised }: Permissions): void {
  if (authorised.includes(container)) return;
  throw new HarnessError(
    'NOT_AUTHORISED',
    `${what}: container ${container} was not made by deadair; if you may break it, add --authorise ${container}`,
  );
}

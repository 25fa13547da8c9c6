/** Addresses of one trial: a block of loopback that no other process of this machine is likely to use. */
let block = (process.pid * 7) % 65_000;

export interface Addresses {
  caller: string;
  callee: string;
  echo: string;
}

export const SIP_PORT = 15_060;
export const ECHO_PORT = 16_000;

export function nextAddresses(): Addresses {
  block = (block + 1) % 65_000;
  const net = `127.${10 + Math.floor(block / 2500)}.${Math.floor(block / 10) % 250}`;
  const host = (block % 10) * 20 + 10;
  return { caller: `${net}.${host}`, callee: `${net}.${host + 1}`, echo: `${net}.${host + 2}` };
}

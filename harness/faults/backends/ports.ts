/** Ports that are really taken, by sockets in the target's own network: its next bind of one fails. */
import type { Backend, FaultContext, Work } from '../lease.js';
import { numberOf, sidecar, sidecarName, toolImage } from './tools.js';

/** Where the port pools of our parts begin and end: docker/rtpengine/entrypoint and docker/stacks/asterisk/rtp.conf. */
const POOLS: Readonly<Record<string, { from: number; to: number }>> = {
  relay: { from: 30_000, to: 39_999 },
  node: { from: 10_000, to: 19_999 },
};

/** Takes every port that is free, but for the first `leave`; what calls give back is taken within half a second. */
const TAKE = `
const { createSocket } = require('node:dgram');
const [from, to, leave] = process.argv.slice(1).map(Number);
const held = new Set();
const take = (port) => new Promise((done) => {
  const socket = createSocket('udp4');
  socket.once('error', () => { socket.close(); done(); });
  socket.bind(port, () => { held.add(port); done(); });
});
const round = async () => {
  for (let port = from + leave; port <= to; port++) if (!held.has(port)) await take(port);
};
round().then(() => { process.stdout.write('taken\\n'); setInterval(round, 500); });
`;

async function work(context: FaultContext): Promise<Work> {
  const { target, plan, labels } = context;
  const pool = POOLS[target.role]!;
  const from = Number(target.env.RTP_START ?? pool.from);
  const to = Number(target.env.RTP_END ?? pool.to);
  const name = sidecarName(context);
  const cmd = ['node', '-e', TAKE, String(from), String(to), String(numberOf(context, 'leave'))];
  const spec = sidecar(cmd, { image: toolImage('agent'), networkOf: target.container, readyLine: 'taken' });
  return {
    prepare: [],
    apply: [{ do: 'sidecar', name, labels, spec }],
    verify: [{ do: 'is', container: name, state: 'running' }],
    undo: [{ do: 'remove', container: name }],
    fallbacks: [
      {
        what: 'killing it',
        steps: [
          { do: 'kill', container: name, signal: 'SIGKILL' },
          { do: 'remove', container: name },
        ],
      },
    ],
    // The ports are its sockets: without it they are free.
    proof: [{ do: 'absent', container: name }],
    byHand: `docker rm -f ${name} (${plan.kind})`,
  };
}

export const ports: Backend = {
  name: 'ports',
  kinds: ['rtp-port-exhaustion'],
  preference: 10,
  lacks: async ({ target }) =>
    POOLS[target.role] === undefined ? `${target.name} has no pool of RTP ports that is known` : null,
  work,
};

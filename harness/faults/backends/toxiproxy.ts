/** The proxy that stands before the database and the queue: bytes stop, come late or come slowly, and the server behind knows nothing. */
import type { Backend, FaultContext, FaultTarget, Step, ToxicProxy, Work } from '../lease.js';
import { upstreams } from '../toxics.js';
import { numberOf, tagOf, textOf } from './tools.js';

const API_PORT = 8474;
const STREAMS = ['upstream', 'downstream'] as const;

/** Which proxy leads to the target, and in which container. */
async function before({ target, all }: FaultContext): Promise<{ at: ToxicProxy; holder: FaultTarget | null } | string> {
  const given = /^toxiproxy:(.+)\/(.+)$/.exec(target.name);
  if (given !== null) return { at: { api: `http://${given[1]}`, proxy: given[2]!, holder: null }, holder: null };
  const proxies = all.filter((t) => t.role === 'proxy');
  if (proxies.length === 0) return 'there is no Toxiproxy in this stack (role proxy)';
  for (const holder of proxies) {
    for (const address of holder.addresses) {
      const api = `http://${address.includes(':') ? `[${address}]` : address}:${API_PORT}`;
      const found = await upstreams(api).catch(() => null);
      const proxy = found?.find(({ host }) => target.addresses.includes(host) || host === target.service);
      if (proxy !== undefined) return { at: { api, proxy: proxy.name, holder: holder.container }, holder };
    }
  }
  return `no proxy of ${proxies.map((p) => p.name).join(', ')} leads to ${target.name}`;
}

async function lacks(context: FaultContext): Promise<string | null> {
  const by = textOf(context, 'by');
  if (by !== 'auto' && by !== 'toxiproxy') return `by=${by}`;
  const found = await before(context);
  return typeof found === 'string' ? found : null;
}

async function work(context: FaultContext): Promise<Work> {
  const found = await before(context);
  if (typeof found === 'string') throw new Error(found);
  const { at, holder } = found;
  const name = (stream: string): string => `${tagOf(context)}_${stream}`;
  const kinds = {
    stall: { type: 'timeout', attributes: { timeout: 0 } },
    latency: { type: 'latency', attributes: { latency: numberOf(context, 'ms'), jitter: 0 } },
    bandwidth: { type: 'bandwidth', attributes: { rate: numberOf(context, 'kBps') } },
  };
  const mode = textOf(context, 'mode') as keyof typeof kinds;
  const toxic = (params: Record<string, unknown>): Step[] => {
    const attributes = { ...kinds[mode].attributes } as Record<string, number>;
    if (mode === 'latency') attributes.latency = Number(params.ms);
    if (mode === 'bandwidth') attributes.rate = Math.round(Number(params.kBps));
    return STREAMS.map((stream) => ({
      do: 'toxic',
      at,
      name: name(stream),
      type: kinds[mode].type,
      stream,
      attributes,
    }));
  };
  const off: Step[] = STREAMS.map((stream) => ({ do: 'no-toxic', at, name: name(stream) }));
  const isOff: Step[] = STREAMS.map((stream) => ({ do: 'toxic-is', at, name: name(stream), there: false }));
  return {
    prepare: [],
    apply: toxic(context.plan.params),
    verify: STREAMS.map((stream) => ({ do: 'toxic-is', at, name: name(stream), there: true })),
    turn: toxic,
    undo: off,
    // Removing a toxic waits for the bytes that are in it, which may be for ever. A proxy that is switched off lets its
    // connections go, and them with it.
    fallbacks: [
      { what: 'switching the proxy off and on', steps: [{ do: 'cut-proxy', at }, ...off] },
      ...(holder === null ? [] : [restartOf(holder.container)]),
    ],
    proof: isOff,
    anchors: holder === null ? [] : [context.target.container, holder.container],
    byHand:
      holder === null ? `remove the toxics ${tagOf(context)}_* at ${at.api}` : `docker restart ${holder.container}`,
  };
}

const restartOf = (container: string): Work['fallbacks'][number] => ({
  what: 'restarting Toxiproxy',
  steps: [
    { do: 'restart', container },
    { do: 'is', container, state: 'well', soon: true },
  ],
});

export const toxiproxy: Backend = {
  name: 'toxiproxy',
  kinds: ['db-stall', 'redis-stall'],
  preference: 10,
  lacks,
  work,
};

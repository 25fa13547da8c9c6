/** Steps on a Toxiproxy, through its own client. That client has no deadline: whoever performs a step gives it one. */
import { Toxiproxy } from 'toxiproxy-node-client';
import type { ToxicProxy } from './lease.js';

export interface Toxic {
  name: string;
  type: string;
  stream: 'upstream' | 'downstream';
  attributes: Record<string, number>;
}

async function toxicsOf({ api, proxy }: ToxicProxy): Promise<Toxic[]> {
  const found = await new Toxiproxy(api).get(proxy);
  // What the server sends is more than the client's class keeps.
  const { data } = await found.api.get<Toxic[]>(`${found.getPath()}/toxics`);
  return data;
}

/** Adds it; one of this name is replaced. */
export async function addToxic(at: ToxicProxy, toxic: Toxic): Promise<void> {
  const proxy = await new Toxiproxy(at.api).get(at.proxy);
  const there = (await toxicsOf(at)).find(({ name }) => name === toxic.name);
  if (there === undefined) await proxy.addToxic({ ...(toxic as never as object), toxicity: 1 } as never);
  else await (await proxy.getToxic(toxic.name)).update({ ...toxic, toxicity: 1 } as never);
}

export async function removeToxic(at: ToxicProxy, name: string): Promise<void> {
  if (!(await hasToxic(at, name))) return;
  const proxy = await new Toxiproxy(at.api).get(at.proxy);
  await (await proxy.getToxic(name)).remove();
}

export async function hasToxic(at: ToxicProxy, name: string): Promise<boolean> {
  return (await toxicsOf(at)).some((toxic) => toxic.name === name);
}

/** Every toxic of a Toxiproxy. */
export async function allToxics(api: string): Promise<{ proxy: string; name: string }[]> {
  const proxies = Object.keys(await new Toxiproxy(api).getAll());
  const all = await Promise.all(
    proxies.map(async (proxy) => (await toxicsOf({ api, proxy, holder: null })).map(({ name }) => ({ proxy, name }))),
  );
  return all.flat();
}

/** Where each proxy leads. */
export async function upstreams(api: string): Promise<{ name: string; host: string }[]> {
  const proxies = await new Toxiproxy(api).getAll();
  return Object.values(proxies).map(({ name, upstream }) => ({
    name,
    host: upstream.slice(0, upstream.lastIndexOf(':')),
  }));
}

/**
 * Off and on again: connections through it are cut, and with them what their toxics hold. The proxy is not asked for anything
 * first: while the removal of a toxic hangs, it does not answer that either.
 */
export async function cutProxy({ api, proxy }: ToxicProxy): Promise<void> {
  const http = new Toxiproxy(api).getApi();
  for (const enabled of [false, true]) await http.post(`${api}/proxies/${proxy}`, { enabled });
}

export async function removeToxicNamed(api: string, proxy: string, name: string): Promise<void> {
  await removeToxic({ api, proxy, holder: null }, name);
}

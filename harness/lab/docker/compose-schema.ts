/** The subset of the Compose format that a stack may use: what is read, and how to mend what is not. */
import { z } from 'zod';
import { ROLES } from './types.js';
import { durationNs, shellWords, sizeBytes } from './units.js';

const scalar = z.union([z.string(), z.number(), z.boolean()]);
const text = scalar.transform(String);
const yes = z.union([z.boolean(), z.enum(['true', 'false']).transform((word) => word === 'true')]);
const amount = z.union([
  z.number(),
  z
    .string()
    .regex(/^\d+(\.\d+)?$/, 'must be a number')
    .transform(Number),
]);

function converted<T>(convert: (value: string | number) => T | undefined, what: string) {
  return z.union([z.string(), z.number()]).transform((value, context) => {
    const out = convert(value);
    if (out !== undefined) return out;
    context.addIssue({ code: 'custom', message: `must be ${what}, and is ${value}` });
    return z.NEVER;
  });
}
const duration = converted(durationNs, 'a duration such as 5s or 1m30s');
const size = converted(sizeBytes, 'a size such as 64m');
const words = z.union([
  z.array(text),
  converted((line) => shellWords(String(line)), 'a command line with its quotes closed'),
]);

/** `KEY: value` or `- KEY=value`; a key without a value is empty. */
const pairs = z.union([
  z.record(z.string(), scalar.nullable()).transform((map) => {
    const out: Record<string, string> = {};
    for (const [key, value] of Object.entries(map)) out[key] = value === null ? '' : String(value);
    return out;
  }),
  z.array(z.string()).transform((list) => {
    const out: Record<string, string> = {};
    for (const line of list) {
      const at = line.indexOf('=');
      out[at < 0 ? line : line.slice(0, at)] = at < 0 ? '' : line.slice(at + 1);
    }
    return out;
  }),
]);

const strings = z.union([z.array(z.string()), z.string().transform((one) => [one])]);
const ipv4 = z.ipv4('must be an IPv4 address');
const condition = z.enum(['service_started', 'service_healthy', 'service_completed_successfully']);
const labels = pairs.superRefine((map, context) => {
  const role = map['deadair.role'];
  if (role !== undefined && !(ROLES as readonly string[]).includes(role)) {
    context.addIssue({ code: 'custom', message: `deadair.role is ${role}; it must be one of ${ROLES.join(', ')}` });
  }
});

const volume = z.union([
  z.string(),
  z.strictObject({
    type: z.enum(['bind', 'volume', 'tmpfs']),
    source: z.string().optional(),
    target: z.string(),
    read_only: yes.optional(),
    tmpfs: z.strictObject({ size: size.optional(), mode: amount.optional() }).optional(),
  }),
]);

const healthcheck = z.strictObject({
  test: z.union([z.array(z.string()), z.string().transform((line) => ['CMD-SHELL', line])]).optional(),
  interval: duration.optional(),
  timeout: duration.optional(),
  start_period: duration.optional(),
  start_interval: duration.optional(),
  retries: amount.optional(),
  disable: yes.optional(),
});

const service = z.strictObject({
  image: z.string().optional(),
  build: z
    .union([
      z.string().transform((context) => ({ context, dockerfile: undefined, args: undefined, target: undefined })),
      z.strictObject({
        context: z.string(),
        dockerfile: z.string().optional(),
        args: pairs.optional(),
        target: z.string().optional(),
      }),
    ])
    .optional(),
  networks: z
    .union([
      z.array(z.string()).transform((list) => {
        const out: Record<string, { ipv4_address?: string; aliases?: string[] } | null> = {};
        for (const name of list) out[name] = null;
        return out;
      }),
      z.record(
        z.string(),
        z
          .strictObject({
            ipv4_address: ipv4.optional(),
            aliases: z.array(z.string()).optional(),
            priority: amount.optional(),
          })
          .nullable(),
      ),
    ])
    .optional(),
  network_mode: z
    .string()
    .regex(/^service:[\w.-]+$/, 'must be service:NAME; the lab has networks of its own and no other')
    .optional(),
  environment: pairs.optional(),
  command: words.nullish(),
  entrypoint: words.nullish(),
  volumes: z.array(volume).optional(),
  tmpfs: strings.optional(),
  cap_add: z.array(z.string()).optional(),
  cap_drop: z.array(z.string()).optional(),
  sysctls: pairs.optional(),
  ulimits: z
    .record(
      z.string(),
      z.union([amount.transform((n) => ({ soft: n, hard: n })), z.strictObject({ soft: amount, hard: amount })]),
    )
    .optional(),
  healthcheck: healthcheck.optional(),
  depends_on: z
    .union([
      z.array(z.string()).transform((list) => {
        const out: Record<string, { condition: z.infer<typeof condition> }> = {};
        for (const name of list) out[name] = { condition: 'service_started' };
        return out;
      }),
      z.record(
        z.string(),
        z.strictObject({ condition, required: z.literal(true).optional(), restart: yes.optional() }),
      ),
    ])
    .optional(),
  labels: labels.optional(),
  user: text.optional(),
  working_dir: z.string().optional(),
  hostname: z.string().optional(),
  init: yes.optional(),
  read_only: yes.optional(),
  stop_signal: z.string().optional(),
  stop_grace_period: duration.optional(),
  cpus: amount.optional(),
  mem_limit: size.optional(),
  shm_size: size.optional(),
  extra_hosts: z
    .union([z.array(z.string()), pairs.transform((map) => Object.entries(map).map(([name, ip]) => `${name}:${ip}`))])
    .optional(),
  restart: text.optional(),
  container_name: z.string().optional(),
  pull_policy: z.string().optional(),
  expose: z.array(scalar).optional(),
});

const network = z.strictObject({
  driver: z.literal('bridge', 'must be bridge').optional(),
  driver_opts: pairs.optional(),
  internal: z
    .literal(true, 'must be true, or left out: a lab has no way out, so that no flood can leave this machine')
    .optional(),
  ipam: z
    .strictObject({
      driver: z.literal('default').optional(),
      config: z
        .array(z.strictObject({ subnet: z.cidrv4().optional(), gateway: ipv4.optional() }))
        .max(1)
        .optional(),
    })
    .optional(),
  labels: pairs.optional(),
  name: z.string().optional(),
});

export const composeSchema = z.looseObject({
  name: z.string().optional(),
  version: scalar.optional(),
  services: z.record(z.string().regex(/^[a-zA-Z0-9][\w.-]*$/, 'must be a name of letters, digits, . _ -'), service),
  networks: z.record(z.string(), network.nullable()).optional(),
  volumes: z
    .record(
      z.string(),
      z
        .strictObject({ labels: pairs.optional(), driver: z.literal('local').optional(), name: z.string().optional() })
        .nullable(),
    )
    .optional(),
});
export type Compose = z.infer<typeof composeSchema>;
export type ComposeService = Compose['services'][string];

/** Keys that people write and a lab does not have: what to do instead. */
export const MENDS: Readonly<Record<string, string>> = {
  ports: 'a lab publishes no port: remove it, callers are inside',
  privileged: 'name the capabilities that it needs with cap_add',
  env_file: 'write the variables under environment',
  deploy: 'use cpus and mem_limit',
  configs: 'mount the file with volumes',
  secrets: 'mount the file with volumes',
  extends: 'use a YAML anchor and <<',
  devices: 'remove it',
  links: 'use networks',
  profiles: 'leave the service out, or keep it in a file of its own',
  scale: 'write the service twice, each with its address',
  logging: 'remove it',
};

/** What `doctor` says of Docker stacks: each line with its mend. None of it is needed for the embedded platform. */
import { kernelCan, type Survey, survey } from '../lab/docker/survey.js';
import { type Check, check } from './check.js';

/** Six containers' daemons, Asterisk twice and PostgreSQL: below it they push each other out. */
const MEM_GIB_WANTED = 4;

export async function labChecks(): Promise<Check[]> {
  const found = await survey();
  return found.engine === null ? [noEngine(found.why)] : [...engineChecks(found, found.engine), ...kernelChecks()];
}

function noEngine(why: string): Check {
  const mend =
    'only for Docker stacks, not for the embedded one: start dockerd, or set DOCKER_HOST; on bare Debian docker/offline/engine.sh up';
  return check('Docker', false, /\((.*?)\)/.exec(why)?.[1] ?? why, mend, 'missing');
}

export function engineChecks(
  { images, rangeTakenBy, stacks }: Survey,
  { version, api, cgroup, storage, cores, memGiB }: NonNullable<Survey['engine']>,
): Check[] {
  const size = `${cores} cores, ${memGiB.toFixed(1)} GiB`;
  return [
    check('Docker', true, `${version}, API ${api}, cgroup ${cgroup}, ${storage}`, '', 'missing'),
    check(
      'Docker size',
      cores >= 2 && memGiB >= MEM_GIB_WANTED,
      size,
      `a stack wants 2 cores and ${MEM_GIB_WANTED} GiB; with less, expect INVALID runs`,
      'warn',
    ),
    ...images.map(({ stack, there, of }) =>
      check(
        `stack ${stack}`,
        there === of,
        `${there} of ${of} images`,
        'docker/offline/build.sh builds them without a registry',
        'missing',
      ),
    ),
    check(
      'lab addresses',
      rangeTakenBy.length === 0,
      rangeTakenBy.length === 0 ? '10.213.0.0/16 is free' : `10.213.0.0/16 is used by ${rangeTakenBy.join(', ')}`,
      'remove those networks, or change the addresses in a copy of the stack',
      'warn',
    ),
    ...(stacks.length === 0 ? [] : [check('stacks that are up', true, stacks.join(', '), '', 'warn')]),
  ];
}

/** What faults and routers of a lab use. An answer needs root; without it nothing is claimed. */
function kernelChecks(): Check[] {
  const wanted: [name: string, command: string[], mend: string][] = [
    [
      'netem',
      ['tc', 'qdisc', 'add', 'dev', 'lo', 'root', 'netem', 'delay', '1ms'],
      'modprobe sch_netem, where the kernel has it; without it faults lose packets by nftables and delay them by our own relay',
    ],
    [
      'nftables',
      ['nft', 'add', 'table', 'ip', 'deadair_probe'],
      'apt-get install nftables; the NAT router of a stack needs it in the kernel',
    ],
    [
      'VXLAN',
      ['ip', 'link', 'add', 'deadair0', 'type', 'vxlan', 'id', '1', 'dstport', '4789'],
      'modprobe vxlan: the subscribers of a stack reach their router through it',
    ],
  ];
  return wanted.map(([name, command, mend]) => {
    const can = kernelCan(command);
    const found = can === 'unknown' ? `unknown: needs root, unshare and ${command[0]}` : can;
    return check(name, can === 'yes', found, mend, 'warn');
  });
}

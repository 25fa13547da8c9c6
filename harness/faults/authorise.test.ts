import { expect, it } from 'vitest';
import { HarnessError } from '../errors.js';
import { authoriseAddress, authoriseContainer } from './authorise.js';

const OURS = { subnets: ['10.213.30.0/24', '10.213.128.0/24'], authorised: ['192.0.2.7', 'their-db'] };

it.each(['127.0.0.1', '127.64.3.2', 'localhost', '10.213.30.33', '10.213.128.4', '192.0.2.7'])(
  '%s may be broken',
  (host) => {
    expect(() => authoriseAddress('--fault db-stall', host, OURS)).not.toThrow();
  },
);

it.each(['10.213.31.33', '10.0.0.1', '192.168.1.1', '203.0.113.9', 'db.example.net'])('%s may not', (host) => {
  const refused = (): void => authoriseAddress('--fault db-stall', host, OURS);
  expect(refused).toThrow(HarnessError);
  expect(refused).toThrow(
    `--fault db-stall: ${host} is neither loopback nor in a network that deadair made; if you may break it, add --authorise ${host}`,
  );
});

it('a container that is not ours has to be named', () => {
  expect(() => authoriseContainer('--fault node-pause', 'their-db', OURS)).not.toThrow();
  expect(() => authoriseContainer('--fault node-pause', 'another', OURS)).toThrow(
    '--fault node-pause: container another was not made by deadair; if you may break it, add --authorise another',
  );
});

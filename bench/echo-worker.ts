import { workerData } from 'node:worker_threads';
import { COMMAND, Control, STATE } from '../agents/control.js';
import { LinuxWire } from '../agents/wire/linux.js';
import { runBlocking } from '../agents/wire/loop.js';
import { ipFromString, type UdpPort } from '../agents/wire/types.js';
import type { EchoData } from './echo.js';

/** Lets packets gather: the echo must not take the CPU that the generator needs. */
const REST_US = 500;

const data = workerData as EchoData;
const control = new Control(data.control);
const counts = new Float64Array(data.counts);
const wire = new LinuxWire({ media: 'sockets' });
const port: UdpPort = wire.bind(ipFromString(data.ip), data.port, (bytes, off, len, ip, srcPort) =>
  port.send(bytes, off, len, ip, srcPort),
);
control.state = STATE.READY;
const publish = (): void => {
  counts[0] = wire.counters.received + wire.counters.receiveDropped;
  counts[1] = wire.counters.sent;
};
runBlocking(wire, [], () => control.command === COMMAND.STOP, publish, REST_US);
wire.close();

/** `npm run faults-table`: does every fault on this machine, has it seen by other eyes, and writes docs/faults.md. */
import { writeFileSync } from 'node:fs';
import { cpus, release, type } from 'node:os';
import { fileURLToPath } from 'node:url';
import { FAULT_NAMES, specOf } from '../../harness/plan/fault-kinds.js';
import { openGround, type Row } from './ground.js';
import { DOCKER_ROWS } from './rows-docker.js';

const ROOT = new URL(import.meta.url.endsWith('.ts') ? '../../' : '../../../', import.meta.url);
const path = (name: string): string => fileURLToPath(new URL(name, ROOT));

const ground = await openGround(path('docker/stacks/tenants.csv'));
const rows: Row[] = [];
try {
  for (const measure of DOCKER_ROWS) {
    const row = await measure(ground);
    rows.push(row);
    process.stdout.write(`${row.fault} by ${row.backend}: asked ${row.asked}, seen ${row.seen}\n`);
  }
} finally {
  await ground.close();
}

const table = rows.map(
  ({ fault, backend, asked, seen, by }) => `| ${fault} | ${backend} | ${asked} | ${seen} | ${by} |`,
);
const measured = new Set(rows.map((r) => r.fault));
const others = FAULT_NAMES.filter((name) => !measured.has(name)).map((name) => `| ${name} | ${specOf(name).summary} |`);
writeFileSync(
  path('docs/faults.md'),
  `# Faults: what was asked, and what others saw

Made by \`npm run faults-table\` on ${type()} ${release()}, ${cpus().length} cores; it takes a Docker engine and the images of docker/. Every removal was proven.
\`deadair faults kinds\` lists every parameter; ARCHITECTURE.md says how a fault is done and undone.

| fault | by | asked | seen | by whom |
| --- | --- | --- | --- | --- |
${table.join('\n')}

Not in this table:

| fault | what it is |
| --- | --- |
${others.join('\n')}
`,
);

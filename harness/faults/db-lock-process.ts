/**
 * Holds a SQLite database so that nobody else can write: `db-lock-process <file> <forMs>`, a process of its own, which
 * is its own lease. It lets go after forMs, on SIGTERM, and when its stdin closes: that is, when whoever started it is
 * gone, however they went. Should it be killed itself, the kernel drops its file locks.
 *
 * stdout: `locked <us>` once it holds, `released <us>` at the end; microseconds of the machine's monotonic clock.
 */
import Database from 'libsql';
import { monotonicUs } from '../clock.js';

const TAKE_MS = 5_000;

const [file, forMs] = process.argv.slice(2);
if (file === undefined || forMs === undefined) throw new Error('usage: db-lock-process <file> <forMs>');

const db = new Database(file);
db.pragma(`busy_timeout = ${TAKE_MS}`);
db.exec('BEGIN EXCLUSIVE');

let held = true;
function letGo(): void {
  if (!held) return;
  held = false;
  db.exec('ROLLBACK');
  db.close();
  process.stdout.write(`released ${monotonicUs()}\n`, () => process.exit(0));
}

// Nobody reads any more: the same as a closed stdin.
process.stdout.on('error', () => process.exit(0));
process.stdin.on('end', letGo).on('close', letGo).on('error', letGo).resume();
process.on('SIGTERM', letGo);
setTimeout(letGo, Number(forMs));
process.stdout.write(`locked ${monotonicUs()}\n`);

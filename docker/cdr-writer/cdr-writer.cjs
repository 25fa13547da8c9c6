// Call records out of the Redis stream into PostgreSQL. At least once: a record is acknowledged after its row is committed, and a record
// that comes twice meets its own key (the Call-ID). While the database is away the stream holds them; nothing that carries calls waits.
//   REDIS_URL, DATABASE_URL; `cdr-writer.cjs health` exits 0 when the last turn succeeded less than 5 s ago.
'use strict';
const { readFileSync, statSync, writeFileSync } = require('node:fs');
const { setTimeout: sleep } = require('node:timers/promises');

const STREAM = 'cdr';
const GROUP = 'writer';
const CONSUMER = 'writer-1';
/** Rows in one INSERT: 8 parameters each, far below PostgreSQL's 65,535. */
const BATCH = 200;
const RETRY_MS = 500;
const BLOCK_MS = 1000;
const HEALTH_FILE = '/tmp/cdr-writer.health';
const HEALTH_MS = 5000;

if (process.argv[2] === 'health') {
  let age = Number.POSITIVE_INFINITY;
  try {
    age = Date.now() - statSync(HEALTH_FILE).mtimeMs;
  } catch (error) {
    process.stderr.write(`no turn yet: ${error.code}\n`);
  }
  process.stdout.write(age < HEALTH_MS ? readFileSync(HEALTH_FILE, 'utf8') : 'the last turn is too long ago\n');
  process.exit(age < HEALTH_MS ? 0 : 1);
}

const { createClient } = require('redis');
const { Pool } = require('pg');

const say = (line) => process.stdout.write(`cdr-writer: ${line}\n`);
const at = (seconds) => (seconds === '' || seconds === '<null>' ? null : new Date(Number(seconds) * 1000));

/** `leg|tenant|from|to|started|answered|ended`, instants in Unix seconds. */
function rowOf({ call_id: callId, row }) {
  const [leg, tenant, src, dst, started, answered, ended] = row.split('|');
  return [callId, leg, tenant, src, dst, at(started), at(answered), at(ended)];
}

async function insert(pool, messages) {
  const values = messages.flatMap(({ message }) => rowOf(message));
  const places = messages.map((_, i) => `(${[1, 2, 3, 4, 5, 6, 7, 8].map((k) => `$${i * 8 + k}`).join(',')})`);
  await pool.query(
    `INSERT INTO cdr (call_id, dcontext, tenant, src, dst, started, answered, ended) VALUES ${places.join(',')}
     ON CONFLICT (call_id) DO NOTHING`,
    values,
  );
}

async function main() {
  const redis = createClient({ url: process.env.REDIS_URL });
  let down = null;
  const trouble = (error) => {
    const why = error.message || error.code || String(error);
    if (why !== down) say(why);
    down = why;
  };
  redis.on('error', trouble);
  await redis.connect();
  await redis.xGroupCreate(STREAM, GROUP, '0', { MKSTREAM: true }).catch((error) => {
    if (!/BUSYGROUP/.test(error.message)) throw error;
  });
  const pool = new Pool({
    connectionString: process.env.DATABASE_URL,
    max: 1,
    query_timeout: 5000,
    connectionTimeoutMillis: 2000,
  });
  pool.on('error', trouble);
  let written = 0;
  let stop = false;
  for (const signal of ['SIGTERM', 'SIGINT'])
    process.on(signal, () => {
      stop = true;
    });
  say('ready');
  // What was delivered to us and not acknowledged comes first ('0'), then what is new ('>').
  let from = '0';
  while (!stop) {
    try {
      const reply = await redis.xReadGroup(
        GROUP,
        CONSUMER,
        { key: STREAM, id: from },
        { COUNT: BATCH, BLOCK: BLOCK_MS },
      );
      const messages = reply?.[0]?.messages ?? [];
      if (messages.length > 0) {
        await insert(pool, messages);
        await redis.xAck(
          STREAM,
          GROUP,
          messages.map(({ id }) => id),
        );
        written += messages.length;
      } else {
        from = '>';
        // Idle is no proof of health: the database is asked too.
        await pool.query('SELECT 1');
      }
      writeFileSync(HEALTH_FILE, `${written} written\n`);
      if (down !== null) say(`back; ${written} written`);
      down = null;
    } catch (error) {
      trouble(error);
      from = '0';
      await sleep(RETRY_MS);
    }
  }
  await pool.end();
  redis.destroy?.();
  say(`${written} written`);
  process.exit(0);
}

main().catch((error) => {
  say(error.stack);
  process.exit(1);
});

import { type Command, Option } from 'commander';
import { printable } from '../report/format.js';
import type { Cell } from '../verdict/read.js';
import { printResult, table } from './output.js';

interface QueryFlags {
  format: 'table' | 'json' | 'csv';
}

export function addQuery(program: Command): void {
  program
    .command('query')
    .description(
      'ask a run in SQL (DuckDB): calls, legs, causes, telemetry, frames, registrations, webphones; read-only',
    )
    .argument('<run>', 'directory of a run, for example results/peak-dial-…')
    .argument('[sql]', 'one SELECT, for example "from causes group by all"; without it, the tables and their columns')
    .addOption(new Option('--format <name>', 'how rows are printed').choices(['table', 'json', 'csv']).default('table'))
    .action(async (runDir: string, sql: string | undefined, flags: QueryFlags) => {
      const { describeTables, queryRun } = await import('../verdict/query.js');
      if (sql === undefined) {
        printResult(tablesText(await describeTables(runDir)));
        return;
      }
      const { columns, rows } = await queryRun(runDir, sql);
      printResult(FORMATS[flags.format](columns, rows));
    });
}

const FORMATS: Record<QueryFlags['format'], (columns: readonly string[], rows: readonly Cell[][]) => string> = {
  table: (columns, rows) =>
    table([[...columns], columns.map((c) => '-'.repeat(c.length)), ...rows.map((r) => r.map(text))]),
  json: (columns, rows) =>
    JSON.stringify(
      rows.map((row) => Object.fromEntries(columns.map((c, i) => [c, row[i] ?? null]))),
      null,
      2,
    ),
  csv: (columns, rows) => [columns, ...rows].map((row) => row.map(csv).join(',')).join('\n'),
};

function text(value: Cell): string {
  return value === null ? 'NULL' : printable(String(value));
}

/** RFC 4180; NULL is empty. */
function csv(value: Cell): string {
  const written = value === null ? '' : String(value);
  return /[",\r\n]/.test(written) ? `"${written.replaceAll('"', '""')}"` : written;
}

function tablesText(tables: Record<string, [string, string][]>): string {
  const lines: string[] = [];
  for (const [name, columns] of Object.entries(tables)) {
    lines.push(name, table(columns, '  '), '');
  }
  lines.push('docs/schema.md says what each column means.');
  return lines.join('\n');
}

#!/usr/bin/env node
import { report, runCli } from './program.js';

process.on('uncaughtException', (error) => process.exit(report(error)));
process.on('unhandledRejection', (error) => process.exit(report(error)));
// `deadair scenarios | head` closes the pipe early, which is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

const exitCode = await runCli(process.argv.slice(2));
// Wait for the pipe, then end: no handle that was left open may keep us.
process.stdout.write('', () => process.exit(exitCode));

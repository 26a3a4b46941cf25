#!/usr/bin/env node
import { runCommandLine } from './command-line.js';

/** Milliseconds after which nothing keeps this process any more. */
const LEFT_OPEN_MS = 1_000;

// A reader that has seen enough (`… | head`) is no fault.
process.stdout.on('error', () => {});

void runCommandLine(process.argv.slice(2), {
  cwd: process.cwd(),
  env: process.env,
  print: (text) => process.stdout.write(`${text}\n`),
  note: (text) => process.stderr.write(`${text}\n`),
}).then((code) => {
  // Not process.exit(): what has been written must come out first.
  process.exitCode = code;
  // A connection that a server has not let in may stay open for as long as that server likes.
  setTimeout(() => process.exit(), LEFT_OPEN_MS).unref();
});

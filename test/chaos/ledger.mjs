import { openSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/**
 * What steps did to the world outside, kept apart from the database under test: one file per process, one line per event,
 * written before the step goes on. Times are those of the machine's monotonic clock, which all its processes share.
 */
export class Ledger {
  constructor(folder) {
    this.file = openSync(join(folder, `${process.pid}.ledger`), 'a');
  }

  write(event, { runId, step, attempt }) {
    writeSync(this.file, `${JSON.stringify({ event, runId, step, attempt, at: nowMs(), pid: process.pid })}\n`);
  }
}

export function readLedger(folder) {
  const files = readdirSync(folder).filter((name) => name.endsWith('.ledger'));
  const lines = files.flatMap((name) => readFileSync(join(folder, name), 'utf8').split('\n'));
  return lines
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
    .sort((a, b) => a.at - b.at);
}

export function nowMs() {
  return Number(process.hrtime.bigint()) / 1e6;
}

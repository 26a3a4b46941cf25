import { close, open } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

/** Characters of the log that an error shows. */
const TAIL_LENGTH = 2_000;

/** Does something with the log open for programs to write to. Each start begins it anew: that bounds it. */
export async function withNewLog<T>(path: string, action: (log: number) => Promise<T>): Promise<T> {
  // Emptied, then appended to: several processes write to it at the same time.
  await promisify(close)(await promisify(open)(path, 'w', 0o600));
  const log = await promisify(open)(path, 'a');
  try {
    return await action(log);
  } finally {
    await promisify(close)(log);
  }
}

/** The end of the log. */
export async function readLogTail(path: string): Promise<string> {
  return (await readFile(path, 'utf8').catch(() => '')).slice(-TAIL_LENGTH).trim();
}

import { spawn } from 'node:child_process';
import { once } from 'node:events';

const TIMEOUT_MS = 240_000;

/** Runs a command to its end and gives what it wrote; where it fails, that is the error. */
export async function run(command, args, options) {
  const child = open(command, args, options);
  const timer = setTimeout(() => child.process.kill('SIGKILL'), TIMEOUT_MS);
  await child.ended;
  clearTimeout(timer);
  const { exitCode, signalCode } = child.process;
  if (exitCode === 0) return child.output();
  throw new Error(`${command} ${args.join(' ')} ended with ${signalCode ?? exitCode}:\n${child.output()}`);
}

/** Starts a command: its process, what it has written so far, and a wait for a line of it. */
export function open(command, args, options) {
  const process = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  let written = '';
  const ended = once(process, 'close');
  ended.catch(() => {});
  for (const stream of [process.stdout, process.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => (written += text));
  }
  return { process, ended, output: () => written, waitFor: (pattern) => waitFor(pattern) };

  /** Resolves with the match as soon as it is in the output; rejects where the process ends without it. */
  async function waitFor(pattern) {
    const late = tooLate(pattern);
    late.catch(() => {}); // Also where what it waits for is there before anything has to be waited for.
    for (;;) {
      const match = pattern.exec(written);
      if (match) return match;
      const over = process.exitCode !== null || process.signalCode !== null;
      if (over) throw new Error(`${command} ended without ${pattern}:\n${written}`);
      await Promise.race([once(process.stdout, 'data'), ended, late]);
    }
  }

  function tooLate(pattern) {
    return new Promise((_, reject) => {
      setTimeout(() => reject(new Error(`No ${pattern} in time:\n${written}`)), TIMEOUT_MS).unref();
    });
  }
}

import { fork } from 'node:child_process';
import { once } from 'node:events';

/**
 * Runs a program of this folder in a process of its own, whose memory is then its alone, until it has sent its figures.
 *
 * @param {string} program
 * @param {string[]} args
 */
export async function measure(program, ...args) {
  const child = fork(new URL(program, import.meta.url), args);
  const [figures] = await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(([code]) => Promise.reject(new Error(`The measured process has ended with ${code}.`))),
  ]);
  if (child.exitCode === null) await once(child, 'exit');
  return figures;
}

import { createHash } from 'node:crypto';

/** A number in [0, 1) that depends on its words alone: the same words, the same luck, in whatever order things happen. */
export function drawSeeded(...words: readonly (string | number)[]): number {
  return createHash('sha256').update(words.join('\u0000')).digest().readUInt32BE(0) / 2 ** 32;
}

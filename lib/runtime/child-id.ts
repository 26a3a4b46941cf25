import { createHash } from 'node:crypto';

/**
 * The id of the child of a step: the same for the same step of the same generation of the same run, so that neither an attempt
 * that is repeated nor a fact that comes twice can make two; and like the library's other ids in the order of time.
 */
export function childIdOf(runId: string, generation: number, step: string): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([runId, generation, step]))
    .digest('hex');
  // The time is that of its parent. Version 8 of RFC 9562: what it is made of is our own.
  return `${runId.slice(0, 13)}-8${hash.slice(0, 3)}-8${hash.slice(3, 6)}-${hash.slice(6, 18)}`;
}

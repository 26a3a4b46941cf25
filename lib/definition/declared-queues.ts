import { readQueue } from './option-readers.js';

const declared = new Set<string>();

/**
 * Notes the queue that a decorator names. Nest must know a module's tokens before it has made any provider, and so before the
 * explorer can tell which workflows the app has; a class that is decorated later than the module is made is not among them.
 */
export function declareQueue(options: unknown): void {
  if (typeof options !== 'object' || options === null) return;
  // What is wrong with a name is said at boot, with the place where it stands.
  const queue = readQueue((options as { queue?: unknown }).queue, () => {});
  if (queue !== undefined) declared.add(queue);
}

/** The queues named by any workflow that this process has loaded so far, whether or not its app uses it. */
export function declaredQueues(): readonly string[] {
  return [...declared];
}

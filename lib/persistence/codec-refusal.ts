/** A path is for a person to read. */
const MAX_PATH_LENGTH = 200;

/** Of a message that says why reading failed. */
const MAX_REASON_LENGTH = 200;

/** Why a value over the limit is refused. */
export function tooLarge(maxBytes: number): string {
  return `it takes more than the ${maxBytes} bytes a value may take. Keep large data elsewhere and store a reference to it, or raise the limit.`;
}

/** Why a value that threw while it was read is refused. Never throws: what was thrown may be hostile as well. */
export function unreadable(thrown: unknown): string {
  try {
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    return `reading it threw ${JSON.stringify(message.slice(0, MAX_REASON_LENGTH))}.`;
  } catch {
    return 'reading it threw something that cannot be read.';
  }
}

/** The dotted path of a value inside another; the middle of a long one is left out. */
export function formatPath(keys: readonly string[]): string {
  const path = keys.join('.');
  if (path.length <= MAX_PATH_LENGTH) return path;
  return `${path.slice(0, MAX_PATH_LENGTH / 2)}…${path.slice(-MAX_PATH_LENGTH / 2)}`;
}

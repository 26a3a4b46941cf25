/** A connection that broke, or a database that is away: infrastructure, nobody's fault. */
export class Disconnected extends Error {
  constructor() {
    super('The simulated connection is lost.');
  }
}

/** What was thrown, as an Error. */
export function toError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

/** The way from a process to the database. */
export interface Wire {
  /** A statement of its own. Rejects where the connection breaks: before it, after it, or while it is still to come. */
  call<T>(what: string, statement: () => T): Promise<T>;
  /** What a lane sends: however often the connection breaks, it comes in once, and is answered once that is known. */
  send<T>(what: string, statement: () => T): Promise<T>;
  /** Calls back in so many milliseconds of the process. */
  after(delayMs: number, callback: () => void): void;
  /** Lets something happen at the database in so many milliseconds, whatever has become of the process by then. */
  atDatabase(delayMs: number, callback: () => void): void;
  /** Whether somebody's lock on a row makes a commit pass it by this time. */
  skipsRow(): boolean;
}

/** A way without delay and loss. */
export const DIRECT_WIRE: Wire = {
  call: async (_, statement) => statement(),
  send: async (_, statement) => statement(),
  after: (delayMs, callback) => void setTimeout(callback, delayMs),
  atDatabase: (delayMs, callback) => void setTimeout(callback, delayMs).unref(),
  skipsRow: () => false,
};

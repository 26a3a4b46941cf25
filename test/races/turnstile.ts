import pg from 'pg';

/** Statements that touch nothing others see: to wait before them too would repeat interleavings that are the same. */
const PRIVATE = /^(BEGIN|START TRANSACTION|SET |SELECT current_setting)/;

/**
 * Statements that are transactions of their own. Each waits a second time before it commits, with its locks taken and its
 * rows written: what others meet while it is under way.
 */
const COMMITTING = /^of_(commit|claim|wake|bury|sweep_dead|take_occurrences|pause_schedule)$/;

/** One of those who race: what it does, and over whose connections. */
export interface Racer {
  readonly act: () => Promise<unknown>;
  /** The process whose connections it uses. */
  readonly process: string;
  /** Names of statements that need not wait: what they touch and find is no part of this race. */
  readonly aside?: readonly string[];
}

/** A racer on its way. Each of its statements waits here until it is let through. */
export class Runner {
  /** Statements that wait to be sent, in the order in which they came. */
  private readonly waiting: { readonly statement: string; readonly pass: () => void }[] = [];
  private readonly sent = new Set<pg.Client>();
  isDone = false;
  failure: unknown = null;

  constructor(
    readonly name: string,
    readonly racer: Racer,
  ) {}

  begin(): void {
    void this.racer
      .act()
      .catch((error: unknown) => (this.failure = error))
      .finally(() => (this.isDone = true));
  }

  get isWaiting(): boolean {
    return this.waiting.length > 0;
  }

  /** The server processes that work on a statement of this racer. */
  get backends(): number[] {
    return [...this.sent].map((client) => (client as unknown as { processID: number }).processID);
  }

  /** Lets the next statement through. @returns what it is */
  next(): string {
    const { statement, pass } = this.waiting.shift()!;
    pass();
    return statement;
  }

  /** Whether this statement is one that waits for its turn here. */
  owns(client: pg.Client, statement: string): boolean {
    return nameOf(client) === this.racer.process && !this.racer.aside?.includes(statement);
  }

  async send<T>(client: pg.Client, statement: string, send: () => Promise<T>): Promise<T> {
    await new Promise<void>((pass) => this.waiting.push({ statement, pass }));
    this.sent.add(client);
    return send().finally(() => this.sent.delete(client));
  }
}

type Send = (this: pg.Client, query: string | pg.QueryConfig, ...rest: unknown[]) => Promise<unknown>;

/** Stands before every connection whose process has a name: before each of its statements, not only before each commit. */
export class Turnstile {
  private runners: readonly Runner[] = [];
  private readonly prototype = pg.Client.prototype as unknown as { query: Send };
  private readonly send: Send = this.prototype.query;
  /** Connections with a transaction under way. */
  private readonly open = new WeakSet<pg.Client>();

  constructor() {
    const direct = (client: pg.Client, query: string | pg.QueryConfig, rest: unknown[]) =>
      this.direct(client, query, rest);
    this.prototype.query = function (query, ...rest) {
      return direct(this, query, rest);
    };
  }

  private direct(client: pg.Client, query: string | pg.QueryConfig, rest: unknown[]): Promise<unknown> {
    // Nobody is impatient: how long a lock is held here says nothing about its holder.
    const sent = nameOf(client) === undefined ? query : patient(query);
    const send = () => this.send.call(client, sent, ...rest);
    const statement = describe(query);
    if (statement === 'BEGIN') this.open.add(client);
    if (statement === 'COMMIT' || statement === 'ROLLBACK') this.open.delete(client);
    const runner = this.runners.find((candidate) => candidate.owns(client, statement));
    if (!runner || PRIVATE.test(statement)) return send();
    if (!COMMITTING.test(statement) || this.open.has(client)) return runner.send(client, statement, send);
    return this.slowly(runner, client, statement, send);
  }

  private async slowly<T>(runner: Runner, client: pg.Client, statement: string, send: () => Promise<T>): Promise<T> {
    const transact = (text: string) => this.send.call(client, text);
    const answer = await runner.send(client, statement, async () => {
      await transact('BEGIN');
      return send().catch(async (error: unknown) => {
        await transact('ROLLBACK');
        throw error;
      });
    });
    await runner.send(client, `end of ${statement}`, () => transact('COMMIT'));
    return answer;
  }

  /** From now on the statements of these wait. Those of anybody else pass. */
  guard(runners: readonly Runner[]): void {
    this.runners = runners;
  }

  remove(): void {
    this.prototype.query = this.send;
  }
}

/** The options of a connection that belongs to a named process. */
export function named<T extends object>(config: T, process: string): T & pg.ClientConfig {
  return { ...config, fallback_application_name: process };
}

/** The name of the process that a connection belongs to. */
function nameOf(client: pg.Client): string | undefined {
  type Named = { readonly connectionParameters: { readonly fallback_application_name?: string } };
  return (client as unknown as Named).connectionParameters.fallback_application_name;
}

function patient(query: string | pg.QueryConfig): string | pg.QueryConfig {
  return typeof query === 'string' ? query.replace(/SET lock_timeout = '\d+'/, "SET lock_timeout = '0'") : query;
}

function describe(query: string | pg.QueryConfig): string {
  if (typeof query !== 'string' && query.name !== undefined) return query.name;
  const text = (typeof query === 'string' ? query : query.text).trim().replaceAll(/\s+/g, ' ');
  return text.length <= 60 ? text : `${text.slice(0, 24)} … ${text.slice(-28)}`;
}

import { Worker } from 'node:worker_threads';

import type { ConnectionConfig } from './connection.js';
import { leaseThread } from './lease-thread.cjs';
import { qualify } from './schema.js';
import { HOLD_WORKER_LOCK, RENEW_LEASE } from './store-statements.js';

/** Milliseconds for which a lease is kept although the main thread does not move. After that the process counts as lost. */
const PATIENCE_MS = 60_000;

/** Milliseconds between two passwords for the thread, where they are asked for: tokens in their place last for a quarter of an hour. */
const PASSWORD_MS = 300_000;

export interface LeaseKeeperOptions {
  readonly schema: string;
  readonly leaseMs: number;
  /** @default a minute */
  readonly patienceMs?: number;
  /** @default five minutes */
  readonly passwordMs?: number;
  /** Told once why there is no such thread: the lease is then only as steady as the event loop. */
  readonly onUnavailable: (error: unknown) => void;
}

/**
 * Keeps a worker's lease from a thread of its own while the main thread is blocked: a step that computes for longer than
 * the lease must not cost its process all its claims.
 */
export class LeaseKeeper {
  private thread: Worker | null = null;
  private isClosed = false;
  /** Raised by the main thread with each renewal of its own, read by the other. */
  private readonly renewals = new Int32Array(new SharedArrayBuffer(4));
  /** When the thread was last given a password. */
  private passwordAt = -Infinity;

  constructor(
    private readonly config: ConnectionConfig,
    private readonly options: LeaseKeeperOptions,
  ) {}

  /** From now on it is this worker's lease. */
  async keep(worker: string): Promise<void> {
    this.renewed();
    this.thread ??= await this.start().catch((error: unknown) => {
      this.options.onUnavailable(error);
      return null;
    });
    this.thread?.postMessage({ worker });
  }

  /** The main thread has renewed the lease itself. */
  renewed(): void {
    Atomics.add(this.renewals, 0, 1);
    void this.passOnPassword();
  }

  /** Ends the thread. The lease is left as it is. */
  async stop(): Promise<void> {
    this.isClosed = true;
    const thread = this.thread;
    this.thread = null;
    await thread?.terminate();
  }

  private async start(): Promise<Worker | null> {
    if (this.isClosed) return null;
    const { schema, leaseMs, patienceMs = PATIENCE_MS } = this.options;
    this.passwordAt = performance.now();
    const config = plain(this.config, await askPassword(this.config));
    const statements = { hold: HOLD_WORKER_LOCK, renew: qualify(RENEW_LEASE, schema) };
    const workerData = { isLeaseThread: true, config, ...statements, leaseMs, patienceMs, renewals: this.renewals };
    // Without the flags of this process: a loader that it was started with has nothing to do there.
    const thread = new Worker(leaseThread, { workerData, execArgv: [] });
    thread.on('error', (error) => {
      this.thread = null;
      this.options.onUnavailable(error);
    });
    thread.unref();
    return thread;
  }

  /** The thread cannot ask when it connects: the main thread does not answer then. */
  private async passOnPassword(): Promise<void> {
    const now = performance.now();
    if (typeof this.config.password !== 'function' || !this.thread) return;
    if (now - this.passwordAt < (this.options.passwordMs ?? PASSWORD_MS)) return;
    this.passwordAt = now;
    // Where there is none now the last one may still do; the connections of the main thread say what is wrong.
    const password = await askPassword(this.config).catch(() => undefined);
    if (password !== undefined) this.thread?.postMessage({ password });
  }
}

async function askPassword({ password }: ConnectionConfig): Promise<string | undefined> {
  return typeof password === 'function' ? password() : password;
}

/** What can be given to another thread. node-postgres hides the key of TLS, and what is hidden is not copied. */
function plain(config: ConnectionConfig, password: string | undefined): ConnectionConfig {
  const { ssl } = config;
  const plainSsl = typeof ssl === 'object' ? { ...ssl, ...(ssl.key === undefined ? {} : { key: ssl.key }) } : ssl;
  return { ...config, password, ssl: plainSsl };
}

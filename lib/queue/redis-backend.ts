import {
  createRedisBackend,
  withBackend,
  type ConnectionOptions,
  type Processor,
  type RedisQueueBackend,
} from 'bullmq';

import { OrchestrateFlowError } from '../engine/errors.js';
import type { BullBackend, BullQueue, BullWorker, QueueFault, QueueSettings, WorkerSettings } from './bull-backend.js';
import { connectRedis, type RedisClient } from './redis-connection.js';
import { findRedisFaults } from './redis-faults.js';

const { Queue, Worker } = withBackend(createRedisBackend);

export interface RedisBackendOptions {
  readonly connection: ConnectionOptions;
  /** What all keys begin with; null for BullMQ's own, `bull`. */
  readonly prefix: string | null;
}

/** BullMQ over one connection to Redis, and one more for each worker, on which it waits for bells. */
export class RedisBackend implements BullBackend {
  private readonly workers: InstanceType<typeof Worker>[] = [];
  private readonly told = new Set<string>();

  private constructor(
    private readonly client: RedisClient,
    private readonly prefix: string,
    onError: (error: unknown) => void,
  ) {
    client.on('error', onError);
  }

  /**
   * Begins to connect, and does not wait for it: an app boots while its Redis is down.
   *
   * @throws OrchestrateFlowError `OF_QUEUE_UNSUITABLE`
   */
  static async open(
    { connection, prefix }: RedisBackendOptions,
    onError: (error: unknown) => void,
  ): Promise<RedisBackend> {
    const client = await connectRedis(connection);
    const { isCluster = false } = client;
    if (isCluster && prefix !== null && !/\{[^{}]+\}/.test(prefix)) {
      client.disconnect();
      throw new OrchestrateFlowError(
        'OF_QUEUE_UNSUITABLE',
        `Cannot use the prefix "${prefix}" on a Redis Cluster: all keys of a queue must lie in one slot. Put a part of it in braces: "{${prefix}}".`,
      );
    }
    return new RedisBackend(client, prefix ?? (isCluster ? '{bull}' : 'bull'), onError);
  }

  get isAway(): boolean {
    return this.client.status !== 'ready';
  }

  createQueue(name: string, settings: QueueSettings): BullQueue {
    return new Queue(name, { ...settings, ...this.settings });
  }

  createWorker(name: string, processor: Processor<unknown, unknown>, settings: WorkerSettings): BullWorker {
    const worker = new Worker<unknown, unknown>(name, processor, { ...settings, ...this.settings });
    this.workers.push(worker);
    return worker;
  }

  watch(onFault: (fault: QueueFault) => void): void {
    // Anew with every connection: another server may stand behind it.
    this.client.on('ready', () => void this.inspect(onFault));
    if (!this.isAway) void this.inspect(onFault);
  }

  close(): Promise<void> {
    for (const worker of this.workers) cutOff(worker.getBackend());
    this.client.disconnect();
    return Promise.resolve();
  }

  private get settings() {
    // Each of BullMQ's connections would look at the version and policy, and warn on the console: we look once, and say it by
    // the app's logger.
    return { connection: this.client as ConnectionOptions, prefix: this.prefix, skipVersionCheck: true };
  }

  private async inspect(onFault: (fault: QueueFault) => void): Promise<void> {
    // Where INFO is not allowed or the connection ends, there is nothing to tell: what matters fails on its own.
    const info = await this.client.info().catch(() => '');
    for (const fault of findRedisFaults(info)) {
      if (this.told.has(fault.fault)) continue;
      this.told.add(fault.fault);
      onFault(fault);
    }
  }
}

/** By force and without waiting: a worker that is being closed waits for Redis, which may never come back. */
function cutOff(backend: RedisQueueBackend): void {
  backend.close(true).catch(() => undefined);
  // What has begun to close in order is not closed by force any more. A connection that never came up is no client yet.
  backend.blockingClient?.then((client) => client.disconnect()).catch(() => undefined);
}

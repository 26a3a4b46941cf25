import type { EventEmitter } from 'node:events';

import type { EntityManager, QueryRunner } from 'typeorm';

import { OrchestrateFlowError } from '../engine/errors.js';
import { isFatal } from './database-failure.js';

/** A transaction that its manager cannot go on with once it has been closed: nothing slips in behind its last statement. */
export class OwnedTransaction {
  /** What has ended its connection, or null. */
  broken: unknown = null;
  private readonly send: QueryRunner['query'];
  private client: EventEmitter | null = null;
  private isOpen = false;

  constructor(private readonly runner: QueryRunner) {
    this.send = runner.query.bind(runner);
    this.redirect((...statement: Parameters<QueryRunner['query']>) => this.noting(this.send(...statement)));
  }

  get manager(): EntityManager {
    return this.runner.manager;
  }

  async begin(): Promise<void> {
    this.client = (await this.runner.connect()) as EventEmitter;
    this.client.on('error', this.note);
    this.isOpen = true;
    await this.runner.startTransaction();
  }

  query<Row>(statement: string, parameters: readonly unknown[]): Promise<Row[]> {
    return this.send(statement, [...parameters]) as Promise<Row[]>;
  }

  close(): void {
    const refuse = () => Promise.reject(closed());
    this.redirect(refuse);
    Object.assign(this.runner, { stream: refuse });
  }

  async commit(): Promise<void> {
    await this.send('COMMIT');
    this.isOpen = false;
  }

  /** Rolls back what has not been committed, and gives the connection back; where that fails, the connection ends. */
  async end(): Promise<void> {
    this.close();
    try {
      if (this.isOpen) await this.send('ROLLBACK');
    } catch {
      // The connection is gone, and the server rolls back what is left.
    }
    this.client?.off('error', this.note);
    await this.runner.release();
  }

  private redirect(query: (...statement: Parameters<QueryRunner['query']>) => Promise<unknown>): void {
    Object.assign(this.runner, { query });
  }

  private readonly note = (error: unknown): void => {
    this.broken ??= error;
  };

  /** Where a statement is under way, what ends the connection is that statement's error. */
  private async noting(answer: Promise<unknown>): Promise<unknown> {
    try {
      return await answer;
    } catch (error) {
      if (isFatal(error)) this.note(error);
      throw error;
    }
  }
}

function closed(): OrchestrateFlowError {
  return new OrchestrateFlowError(
    'OF_TRANSACTION_ENDED',
    'Cannot use this EntityManager any more: the step that was given it has ended. Await every statement in the step.',
  );
}

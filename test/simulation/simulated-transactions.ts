import type { NewRun, NewSignal, TransactionalStarts } from '../../lib/engine/ports.js';
import type { Tables } from './tables.js';
import type { Wire } from './wire.js';

/** Milliseconds between two looks whether a name is free that another transaction holds. */
const LOOK_AGAIN_MS = 20;

/** A user's open transaction: what it inserts is there when it commits. */
export class Transaction {
  isOpen = true;
  readonly starts: NewRun[] = [];
  readonly signals: NewSignal[] = [];
}

/** The transactions of one process's users, and the starts that belong to them. */
export class SimulatedTransactions implements TransactionalStarts<Transaction> {
  private readonly open = new Set<Transaction>();

  constructor(
    private readonly tables: Tables,
    private readonly wire: Wire,
  ) {}

  begin(): Transaction {
    const transaction = new Transaction();
    this.open.add(transaction);
    return transaction;
  }

  /** @returns the queues in which it leaves ready steps, once it has committed */
  commit(transaction: Transaction): Promise<string[]> {
    return this.wire.send('commit a transaction', () => {
      // The server has rolled it back when its process died.
      if (!transaction.isOpen) return [];
      this.close(transaction);
      this.tables.commit(transaction.starts.map((start) => ({ start })));
      for (const signal of transaction.signals) this.tables.addSignal(signal);
      return [...new Set(transaction.starts.flatMap(({ wakes }) => wakes))];
    });
  }

  rollBack(transaction: Transaction): Promise<void> {
    return this.wire.send('roll a transaction back', () => this.close(transaction));
  }

  /** The process has died: the server rolls its transactions back. */
  abandon(): void {
    for (const transaction of this.open) this.close(transaction);
  }

  isInTransaction(manager: Transaction): boolean {
    return manager.isOpen;
  }

  assertInTransaction(manager: Transaction): void {
    if (!manager.isOpen) throw new Error('The simulated transaction has ended.');
  }

  async insert(manager: Transaction, run: NewRun): Promise<boolean> {
    for (;;) {
      const isFree = await this.wire.send('insert a run', () => {
        const free = manager.isOpen && this.tables.holdNames(run, manager);
        if (free === true) manager.starts.push(run);
        return free;
      });
      if (isFree !== 'held') return isFree;
      await new Promise<void>((resolve) => this.wire.after(LOOK_AGAIN_MS, resolve));
    }
  }

  addSignal(manager: Transaction, signal: NewSignal): Promise<boolean> {
    return this.wire.send('insert a signal', () => {
      const run = this.tables.runs.get(signal.runId);
      if (!run || run.endedAt !== null) return false;
      manager.signals.push(signal);
      return true;
    });
  }

  findByKey(
    manager: Transaction,
    workflow: string,
    key: string,
  ): Promise<{ readonly id: string; readonly inputHash: Uint8Array } | null> {
    return this.wire.send('find a key in a transaction', () => {
      const own = manager.starts.find((start) => start.workflow === workflow && start.key === key);
      const run = own ?? this.tables.findByKey(workflow, key);
      return run && { id: run.id, inputHash: run.inputHash! };
    });
  }

  private close(transaction: Transaction): void {
    transaction.isOpen = false;
    this.open.delete(transaction);
    this.tables.release(transaction);
  }
}

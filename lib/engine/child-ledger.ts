import type { OrderToChild } from './decision.js';
import type { ChildOrder } from './notices.js';
import type { NewRun } from './ports.js';

/** What a decision in the making does to children: those that are born with it, and what is asked of others. */
export class ChildLedger {
  private readonly births = new Map<string, NewRun>();
  private readonly orders = new Map<string, ChildOrder>();

  bear(step: string, child: NewRun): void {
    this.births.set(step, child);
  }

  /** Asks it of the child of the step. @returns false where that was to be born with this very decision, and now is not */
  order(step: string, order: ChildOrder): boolean {
    if (this.births.delete(step)) return false;
    this.orders.set(step, order);
    return true;
  }

  toDecision(): { readonly births: readonly NewRun[]; readonly orders: readonly OrderToChild[] } {
    return { births: [...this.births.values()], orders: [...this.orders].map(([step, order]) => ({ step, order })) };
  }
}

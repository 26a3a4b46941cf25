import type { Admission, LimitStore, WorkflowLimits } from '../../lib/engine/limits.js';
import type { Tables } from './tables.js';
import type { Wire } from './wire.js';

/** Limits on the simulated tables: the same statements as `SqlLimitStore`. */
export class SimulatedLimits implements LimitStore {
  constructor(
    private readonly tables: Tables,
    private readonly wire: Wire,
  ) {}

  put(limits: readonly WorkflowLimits[], unlimited: readonly string[]): Promise<string[]> {
    return this.wire.call('put limits', () => this.tables.putLimits(limits, unlimited));
  }

  admit(workflows: readonly string[], limit: number): Promise<Admission> {
    return this.wire.call('admit runs', () => this.tables.admit(workflows, limit));
  }
}

import type {
  ScheduledRun,
  ScheduleMove,
  ScheduleQuery,
  ScheduleSpec,
  ScheduleStore,
  StoredSchedule,
} from '../../lib/engine/ports.js';
import type { ScheduleRow, Tables } from './tables.js';
import type { Wire } from './wire.js';

/** Schedules on the simulated tables: the same statements as `SqlScheduleStore`. */
export class SimulatedSchedules implements ScheduleStore {
  constructor(
    private readonly tables: Tables,
    private readonly wire: Wire,
  ) {}

  now(): Promise<number> {
    return this.wire.call('read time', () => this.tables.epochMs);
  }

  put(spec: ScheduleSpec, nextAt: number | null): Promise<boolean> {
    return this.wire.call(`put schedule ${spec.name}`, () => this.tables.putSchedule(spec, nextAt));
  }

  orphan(workflows: readonly string[], names: readonly string[]): Promise<void> {
    return this.wire.call('orphan schedules', () => this.tables.orphanSchedules(workflows, names));
  }

  find(names: readonly string[]): Promise<StoredSchedule[]> {
    return this.wire.call('find schedules', () => this.tables.readSchedules(({ name }) => names.includes(name)));
  }

  list({ workflow, after, limit }: ScheduleQuery): Promise<StoredSchedule[]> {
    const isWanted = (row: ScheduleRow) =>
      (workflow === null || row.workflow === workflow) && (after === null || row.name > after);
    return this.wire.call('list schedules', () => this.tables.readSchedules(isWanted).slice(0, limit));
  }

  remove(name: string, revision: number): Promise<boolean> {
    return this.change(name, ({ revision: current }) => current === revision && this.tables.schedules.delete(name));
  }

  pause(name: string): Promise<boolean> {
    return this.change(name, (row) => {
      this.tables.changeSchedule(row, { isPaused: true, nextAt: null, queuedAt: null });
      return true;
    });
  }

  resume(name: string, revision: number, nextAt: number | null): Promise<boolean> {
    return this.change(name, (row) => {
      if (row.revision !== revision || !row.isPaused) return false;
      this.tables.changeSchedule(row, { isPaused: false, nextAt: row.isOrphaned ? null : nextAt });
      return true;
    });
  }

  take(moves: readonly ScheduleMove[], runs: readonly ScheduledRun[]): Promise<string[]> {
    return this.wire.call('take occurrences', () => this.tables.takeOccurrences(moves, runs));
  }

  private change(name: string, act: (row: ScheduleRow) => boolean): Promise<boolean> {
    return this.wire.call(`change schedule ${name}`, () => {
      const row = this.tables.schedules.get(name);
      return row ? act(row) : false;
    });
  }
}

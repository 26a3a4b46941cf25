import type { ScheduleDefinition, WorkflowDefinition, WorkflowRegistry } from '../definition/registry.js';
import { findNextOccurrence } from '../definition/schedule-times.js';
import { DefinitionError, messageOf, type DefinitionFault } from '../engine/errors.js';
import type { ScheduleSpec, ScheduleStore } from '../engine/ports.js';
import type { EventHub } from '../events/event-hub.js';
import type { InputDesk } from './input-desk.js';

export interface DeclaredSchedulesPorts {
  readonly registry: WorkflowRegistry;
  readonly store: ScheduleStore;
  readonly inputs: InputDesk;
  readonly events: EventHub;
}

/**
 * The schedules that `@Schedule` declares, written down at boot. Nobody does so later: of two builds side by side the one that boots
 * last is right, and they do not take turns. It says nothing of workflows that it does not have.
 */
export class DeclaredSchedules {
  constructor(private readonly ports: DeclaredSchedulesPorts) {}

  /** @throws DefinitionError where an input is not that of its workflow, or cannot be stored; before anything is written */
  async write(): Promise<void> {
    const { registry, store, events } = this.ports;
    const workflows = registry.all();
    const specs = await this.check(workflows);
    const now = specs.length === 0 ? 0 : await store.now();
    for (const spec of specs) {
      const { name, workflow } = spec;
      const isOurs = await store.put(spec, findNextOccurrence(spec.timing, now));
      if (!isOurs) events.announce({ type: 'schedule.refused', schedule: name, workflow });
    }
    await store.orphan(
      workflows.map(({ name }) => name),
      specs.map(({ name }) => name),
    );
  }

  private async check(workflows: readonly WorkflowDefinition[]): Promise<ScheduleSpec[]> {
    const faults: DefinitionFault[] = [];
    const specs: ScheduleSpec[] = [];
    for (const definition of workflows) {
      for (const { input, ...schedule } of definition.schedules) {
        try {
          const encoded = await this.encode(definition, input);
          specs.push({ ...schedule, workflow: definition.name, input: encoded, isDeclared: true });
        } catch (error) {
          faults.push({ where: definition.target.name, fault: describe(schedule, error) });
        }
      }
    }
    if (faults.length > 0) throw new DefinitionError(faults);
    return specs;
  }

  /** @returns null where the input is computed for each occurrence */
  private encode(definition: WorkflowDefinition, input: unknown): null | Promise<string> {
    return typeof input === 'function' ? null : this.ports.inputs.encode(definition, input);
  }
}

function describe({ name }: Pick<ScheduleDefinition, 'name'>, error: unknown): string {
  return `the input of its @Schedule "${name}" cannot be used: ${messageOf(error)}`;
}

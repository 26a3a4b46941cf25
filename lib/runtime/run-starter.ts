import type { EntityManager } from 'typeorm';

import type { WorkflowRegistry } from '../definition/registry.js';
import type { WorkflowClass } from '../definition/workflow-class.js';
import { show } from '../definition/option-readers.js';
import type { PayloadCodec } from '../engine/codec.js';
import { findDurationMs } from '../engine/duration.js';
import { InputInvalidError, OrchestrateFlowError } from '../engine/errors.js';
import { oneLine } from '../engine/one-line.js';
import type { Clock, RunStore, TransactionalStarts } from '../engine/ports.js';
import type { DefinitionShelf } from './definition-shelf.js';
import type { InputDesk } from './input-desk.js';
import type { StartOptions } from './orchestrator-options.js';
import { captureContext, type RunContext } from './run-context.js';
import type { RunDesk } from './run-desk.js';
import type { StartRequest } from './run-writes.js';
import { invalid, readStartItem, reading } from './start-options.js';

/** How often a start whose key was taken and is gone again a moment later is tried. */
const MAX_START_TRIES = 5;

/** The most runs that one `startMany()` starts: they are one commit. */
const MAX_START_MANY = 1_000;

/** The run that a start gave: a new one, or the earlier one with the same key. */
export interface Started {
  readonly id: string;
  readonly created: boolean;
}

export interface RunStarterPorts {
  readonly registry: WorkflowRegistry;
  readonly shelf: DefinitionShelf;
  readonly desk: RunDesk;
  readonly store: RunStore;
  readonly transactions: TransactionalStarts<EntityManager>;
  readonly codec: PayloadCodec;
  readonly inputs: InputDesk;
  readonly clock: Clock;
  readonly context: RunContext | null;
}

/** Starts runs: checks what it is given, commits, and settles whose a taken key or id is. */
export class RunStarter {
  constructor(private readonly ports: RunStarterPorts) {}

  async start(workflow: WorkflowClass | string, input: unknown, options: StartOptions): Promise<Started> {
    const request = await this.prepare(workflow, input, options);
    const { manager } = options;
    if (manager) return this.startInTransaction(request, options.id !== undefined, manager);
    for (let tries = 0; tries < MAX_START_TRIES; tries++) {
      const [created] = await this.ports.desk.start([request], isNamed(options));
      if (created) return { id: request.id, created: true };
      const existing = await this.findTaken(request, options.id !== undefined, (key) => this.findByKey(request, key));
      if (existing) return { id: existing, created: false };
    }
    throw new OrchestrateFlowError(
      'OF_RUN_EXISTS',
      `Cannot start the run: its key "${oneLine(request.key ?? '')}" was taken and given up again each of ${MAX_START_TRIES} times.`,
    );
  }

  async startMany(workflow: WorkflowClass | string, written: readonly unknown[]): Promise<Started[]> {
    const items = reading('the runs of startMany()', () => listOf(written)).map(readStartItem);
    const requests = await Promise.all(items.map((item, index) => this.prepareItem(workflow, item, index)));
    if (requests.length === 0) return [];
    const options = items.map((item) => item.options);
    const isAnyNamed = options.some(isNamed);
    for (let tries = 0; tries < MAX_START_TRIES; tries++) {
      const existing = await this.findEarlier(requests, options);
      const fresh = requests.filter((_, index) => existing[index] === null);
      const created = fresh.length === 0 ? [] : await this.ports.desk.start(fresh, isAnyNamed);
      // One of the names was taken since they were looked for: nothing was started.
      if (!created.every(Boolean)) continue;
      return requests.map(({ id }, index) => ({ id: existing[index] ?? id, created: existing[index] === null }));
    }
    throw new OrchestrateFlowError(
      'OF_RUN_EXISTS',
      `Cannot start ${requests.length} runs at once: keys of theirs were taken each of ${MAX_START_TRIES} times. Try again.`,
    );
  }

  /** One of many: its faults say which. */
  private async prepareItem(
    workflow: WorkflowClass | string,
    { input, options }: { readonly input: unknown; readonly options: StartOptions },
    index: number,
  ): Promise<StartRequest> {
    try {
      return await this.prepare(workflow, input, options);
    } catch (error) {
      if (!(error instanceof InputInvalidError)) throw error;
      const faults = error.faults.map(({ path, message }) => ({
        path: path === '' ? `${index}` : `${index}.${path}`,
        message,
      }));
      throw new InputInvalidError(error.workflow, faults, { cause: error });
    }
  }

  private async prepare(
    workflow: WorkflowClass | string,
    input: unknown,
    options: StartOptions,
  ): Promise<StartRequest> {
    const { registry, shelf, codec, inputs, clock, transactions } = this.ports;
    const context = captureContext(this.ports.context, codec);
    const definition = registry.get(workflow);
    if (options.manager) transactions.assertInTransaction(options.manager);
    const { id = clock.newId(), key = null, priority = 0 } = options;
    const text = await inputs.encode(definition, input);
    const inputHash = key === null ? null : codec.fingerprint(text);
    const delayMs = options.delay === undefined ? null : findDurationMs(options.delay) || null;
    const dueAt = options.startAt?.toISOString() ?? null;
    const deadlineMs = options.deadline === undefined ? definition.graph.deadlineMs : findDurationMs(options.deadline);
    return {
      id: id.toLowerCase(),
      definition: shelf.currentOf(definition),
      key,
      inputHash,
      priority,
      input: text,
      context,
      tags: [...new Set([...definition.tags, ...(options.tags ?? [])])],
      tenant: options.tenant ?? null,
      isGated: definition.limits !== null,
      delayMs,
      dueAt,
      deadlineMs: deadlineMs ?? null,
    };
  }

  /**
   * The id of the run that has each one's key already: an earlier run, or one before it in this list. Null for those to be
   * started. Throws where a key or id is taken otherwise.
   */
  private findEarlier(
    requests: readonly StartRequest[],
    options: readonly StartOptions[],
  ): Promise<readonly (string | null)[]> {
    const first = new Map<string, number>();
    const ids = new Set<string>();
    const earlier: Promise<string | null>[] = [];
    const look = async (request: StartRequest, index: number) => {
      const { id, key } = request;
      const hasOwnId = options[index]!.id !== undefined;
      const twin = key === null ? undefined : first.get(key);
      if (key !== null && twin === undefined) first.set(key, index);
      const isRepeated = hasOwnId && ids.has(id);
      ids.add(id);
      const isTaken = isRepeated || (hasOwnId && (await this.ports.store.findRun(id)) !== null);
      if (key === null && !isTaken) return null;
      return this.findTaken(request, isTaken, async (name) => {
        if (twin === undefined) return this.findByKey(request, name);
        return { id: (await earlier[twin]) ?? requests[twin]!.id, inputHash: requests[twin]!.inputHash! };
      });
    };
    for (const [index, request] of requests.entries()) earlier.push(look(request, index));
    return Promise.all(earlier);
  }

  private async startInTransaction(request: StartRequest, hasOwnId: boolean, manager: EntityManager): Promise<Started> {
    const { desk, transactions } = this.ports;
    for (let tries = 0; tries < MAX_START_TRIES; tries++) {
      if (await transactions.insert(manager, desk.draftStart(request))) return { id: request.id, created: true };
      const findByKey = (key: string) => transactions.findByKey(manager, workflowOf(request), key);
      const existing = await this.findTaken(request, hasOwnId, findByKey);
      if (existing) return { id: existing, created: false };
    }
    throw new OrchestrateFlowError(
      'OF_RUN_EXISTS',
      `Cannot start the run: its key "${oneLine(request.key ?? '')}" is taken by a run that this transaction cannot see.`,
    );
  }

  private findByKey(request: StartRequest, key: string): ReturnType<RunStore['findByKey']> {
    return this.ports.store.findByKey(workflowOf(request), key);
  }

  /** The run that has taken the request's key. @returns null where it is gone again */
  private async findTaken(
    request: StartRequest,
    hasOwnId: boolean,
    findByKey: (key: string) => ReturnType<RunStore['findByKey']>,
  ): Promise<string | null> {
    const existing = request.key === null ? null : await findByKey(request.key);
    if (!existing) {
      if (hasOwnId)
        throw new OrchestrateFlowError(
          'OF_RUN_EXISTS',
          `Cannot start run ${request.id}: a run with this id exists. Leave \`id\` out, or use \`key\` to get the existing run.`,
        );
      return null;
    }
    if (Buffer.compare(existing.inputHash, request.inputHash!) === 0) return existing.id;
    throw new OrchestrateFlowError(
      'OF_KEY_CONFLICT',
      `Cannot start workflow "${workflowOf(request)}" with key "${oneLine(request.key ?? '')}": run ${existing.id} was started with this key and other input. ` +
        'Use another key, or the same input.',
    );
  }
}

/** A copy: what was counted is what is started. Holes are undefined. */
function listOf(runs: readonly unknown[]): unknown[] {
  if (!Array.isArray(runs)) throw invalid(`Expected startMany() to be given a list of runs, got ${show(runs)}.`);
  if (runs.length > MAX_START_MANY) {
    throw invalid(
      `Expected startMany() to be given at most ${MAX_START_MANY} runs, got ${runs.length}. Start them in portions.`,
    );
  }
  return Array.from(runs);
}

/** Whether another transaction may hold a name that this start inserts. */
function isNamed({ id, key }: StartOptions): boolean {
  return id !== undefined || key !== undefined;
}

function workflowOf({ definition }: StartRequest): string {
  return definition.graph.graph.workflow;
}

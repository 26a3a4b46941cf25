import type { EntityManager } from 'typeorm';
import { v7 as uuidv7 } from 'uuid';

import type { WorkflowRegistry } from '../definition/registry.js';
import type { WorkflowClass } from '../definition/workflow-class.js';
import { validateInput } from '../definition/workflow-input.js';
import type { PayloadCodec } from '../engine/codec.js';
import { InputInvalidError, OrchestrateFlowError } from '../engine/errors.js';
import type { RunStore, TransactionalStarts } from '../engine/ports.js';
import type { DefinitionShelf } from './definition-shelf.js';
import type { StartOptions } from './orchestrator-options.js';
import type { RunDesk } from './run-desk.js';
import type { StartRequest } from './run-writes.js';
import { assertStartOptions, readDuration } from './start-options.js';

/** How often a start whose key was taken and is gone again a moment later is tried. */
const MAX_START_TRIES = 5;

/** The most runs that one `startMany()` starts: they are one commit. */
const MAX_START_MANY = 1_000;

/** One run of many: its input beside its options. */
export type StartManyItem = Omit<StartOptions, 'manager'> & { readonly input?: unknown };

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
      `Cannot start the run: its key "${request.key}" was taken and given up again each of ${MAX_START_TRIES} times.`,
    );
  }

  async startMany(workflow: WorkflowClass | string, items: readonly StartManyItem[]): Promise<Started[]> {
    if (items.length > MAX_START_MANY) {
      throw new OrchestrateFlowError(
        'OF_ARGUMENT_INVALID',
        `Expected startMany() to be given at most ${MAX_START_MANY} runs, got ${items.length}. Start them in portions.`,
      );
    }
    const requests = await Promise.all(items.map((item, index) => this.prepareItem(workflow, item, index)));
    if (requests.length === 0) return [];
    await this.assertNamesFit(requests, items);
    const created = await this.ports.desk.start(requests, items.some(isNamed));
    return Promise.all(
      requests.map(async (request, index) => {
        if (created[index]) return { id: request.id, created: true };
        const { input, ...options } = items[index]!;
        return this.start(workflow, input, options);
      }),
    );
  }

  /** One of many: its faults say which. */
  private async prepareItem(
    workflow: WorkflowClass | string,
    item: StartManyItem,
    index: number,
  ): Promise<StartRequest> {
    const { input, ...options } = item;
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
    const { registry, shelf, codec, transactions } = this.ports;
    const definition = registry.get(workflow);
    assertStartOptions(options);
    if (options.manager) transactions.assertInTransaction(options.manager);
    const { id = uuidv7(), key = null, priority = 0 } = options;
    const text = codec.encode(await validateInput(definition, input), `the input of workflow "${definition.name}"`);
    const inputHash = key === null ? null : codec.fingerprint(text);
    const delayMs = readDuration('delay', options.delay) || null;
    return {
      id: id.toLowerCase(),
      definition: shelf.currentOf(definition),
      key,
      inputHash,
      priority,
      input: text,
      delayMs,
    };
  }

  /**
   * Looks for names that are taken before anything is started: all or none. Names that others take between this look and
   * the commit are met afterwards, one by one.
   */
  private async assertNamesFit(requests: readonly StartRequest[], items: readonly StartOptions[]): Promise<void> {
    const first = new Map<string, StartRequest>();
    const ids = new Set<string>();
    const look = async (request: StartRequest, { id }: StartOptions) => {
      const { key } = request;
      const twin = key === null ? undefined : first.get(key);
      if (key !== null && !twin) first.set(key, request);
      const isRepeated = id !== undefined && ids.has(request.id);
      ids.add(request.id);
      const sameKey = twin ? { id: twin.id, inputHash: twin.inputHash! } : null;
      const findByKey = async (name: string) => sameKey ?? this.findByKey(request, name);
      const isTaken = isRepeated || (id !== undefined && (await this.ports.store.findRun(request.id)) !== null);
      if (key !== null || isTaken) await this.findTaken(request, isTaken, findByKey);
    };
    await Promise.all(requests.map((request, index) => look(request, items[index]!)));
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
      `Cannot start the run: its key "${request.key}" is taken by a run that this transaction cannot see.`,
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
      `Cannot start workflow "${workflowOf(request)}" with key "${request.key}": run ${existing.id} was started with this key and other input. ` +
        'Use another key, or the same input.',
    );
  }
}

/** Whether another transaction may hold a name that this start inserts. */
function isNamed({ id, key }: StartOptions): boolean {
  return id !== undefined || key !== undefined;
}

function workflowOf({ definition }: StartRequest): string {
  return definition.graph.graph.workflow;
}

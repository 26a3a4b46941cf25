import { show } from '../definition/option-readers.js';
import type { ItemSource, ParameterBinding, WorkflowDefinition } from '../definition/registry.js';
import { reviveInput } from '../definition/workflow-input.js';
import type { PayloadCodec } from '../engine/codec.js';
import { OrchestrateFlowError } from '../engine/errors.js';
import { MAX_ITEMS } from '../engine/fan-out.js';
import type { ItemResult, RunStore, StoredItem } from '../engine/ports.js';
import type { Attempt } from './attempt.js';

/** So many items are stored, and so many results read, by one statement. */
const CHUNK = 1_000;
/** A statement with items carries about so many characters at most. */
const CHUNK_CHARACTERS = 1_000_000;

export interface ItemDeskPorts {
  readonly store: Pick<RunStore, 'addItems' | 'dropItems' | 'loadItem' | 'loadItemResults'>;
  readonly codec: PayloadCodec;
  /** Reads as often as it takes: that the store does not answer is not the step's fault. */
  readonly untilRead: <T>(signal: AbortSignal, read: () => Promise<T>) => Promise<T>;
  /** Encoded results of earlier steps. */
  readonly loadResults: (attempt: Attempt, steps: readonly string[]) => Promise<ReadonlyMap<string, string>>;
}

/** Where the list of a fan-out becomes stored items, and their results a list. */
export class ItemDesk {
  constructor(private readonly ports: ItemDeskPorts) {}

  /** Stores the items of a fan-out, a chunk at a time. @returns how many there are */
  async expand(attempt: Attempt, code: WorkflowDefinition, parameters: readonly ParameterBinding[]): Promise<number> {
    const { from } = parameters.find((binding) => binding.kind === 'item')!;
    const items = await this.list(attempt, code, from);
    for (let first = 0; first < items.length;) {
      const payloads = this.encode(attempt, items, first);
      await this.store(attempt, first, payloads);
      first += payloads.length;
    }
    // An earlier attempt may have had a longer list.
    if (attempt.claim.attempt > 1) await this.dropSurplus(attempt, items.length);
    return items.length;
  }

  /** The item that this attempt is for, decoded. */
  async load(attempt: Attempt): Promise<unknown> {
    return this.ports.codec.decode((await this.find(attempt)).payload);
  }

  /** The result, encoded, that the item had when its run was retried: then it has completed, and its code is not called. */
  async findKept(attempt: Attempt): Promise<string | null> {
    return attempt.run.generation === 0 ? null : (await this.find(attempt)).result;
  }

  private async find({ run, node, signal }: Attempt): Promise<StoredItem> {
    const { of, index } = node.item!;
    const { store } = this.ports;
    const item = await this.ports.untilRead(signal, () => store.loadItem(run.id, run.generation, of, index));
    if (item) return item;
    throw new OrchestrateFlowError(
      'OF_STATE_CORRUPT',
      `Cannot run step "${node.name}" of run ${run.id}: its item is not in the store.`,
    );
  }

  /** What the items of a fan-out that have completed gave, in their order, decoded. */
  async loadResults({ run, signal }: Attempt, step: string): Promise<unknown[]> {
    const { store, codec, untilRead } = this.ports;
    const values: unknown[] = [];
    for (let after = -1; ;) {
      const page = { runId: run.id, generation: run.generation, step, after, limit: CHUNK };
      const results: readonly ItemResult[] = await untilRead(signal, () => store.loadItemResults(page));
      for (const { result } of results) values.push(codec.decode(result));
      if (results.length < CHUNK) return values;
      after = results.at(-1)!.index;
    }
  }

  private async list(attempt: Attempt, code: WorkflowDefinition, from: ItemSource): Promise<readonly unknown[]> {
    const list = await this.findList(attempt, code, from);
    const { name } = attempt.node;
    if (!Array.isArray(list))
      throw invalid(attempt, `Expected the items of "${name}" to be an array, got ${show(list)}.`);
    if (list.length > MAX_ITEMS)
      throw invalid(attempt, `Expected at most ${MAX_ITEMS} items for "${name}", got ${list.length}.`);
    return list as unknown[];
  }

  private async findList(attempt: Attempt, code: WorkflowDefinition, from: ItemSource): Promise<unknown> {
    const { codec } = this.ports;
    if (from.kind === 'result') {
      const results = await this.ports.loadResults(attempt, [from.step]);
      return codec.decode(results.get(from.step)!);
    }
    const input = await reviveInput(code, codec.decode(attempt.run.input));
    if (from.kind === 'select') return from.select({ input });
    return from.path.reduce<unknown>(
      (value, key) => (value as Record<string, unknown> | null | undefined)?.[key],
      input,
    );
  }

  private encode({ node }: Attempt, items: readonly unknown[], first: number): string[] {
    const payloads: string[] = [];
    let characters = 0;
    for (let index = first; index < items.length && payloads.length < CHUNK; index++) {
      const payload = this.ports.codec.encode(items[index], `item ${index} of step "${node.name}"`);
      characters += payload.length;
      if (payloads.length > 0 && characters > CHUNK_CHARACTERS) break;
      payloads.push(payload);
    }
    return payloads;
  }

  private async store(
    { run, node, claim, signal }: Attempt,
    first: number,
    payloads: readonly string[],
  ): Promise<void> {
    const { id: runId, generation } = run;
    const { name: step, queue } = node;
    const { attempt } = claim;
    const priority = run.priority + node.priority;
    await this.ports.untilRead(signal, () =>
      this.ports.store.addItems({ runId, generation, step, attempt, queue, priority, first, payloads }),
    );
  }

  private async dropSurplus({ run, node, claim, signal }: Attempt, count: number): Promise<void> {
    const surplus = { runId: run.id, generation: run.generation, step: node.name, attempt: claim.attempt, count };
    await this.ports.untilRead(signal, () => this.ports.store.dropItems(surplus));
  }
}

function invalid({ node, run }: Attempt, why: string): OrchestrateFlowError {
  return new OrchestrateFlowError('OF_ITEMS_INVALID', `Cannot fan out step "${node.name}" of run ${run.id}: ${why}`);
}

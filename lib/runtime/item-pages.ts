import { show } from '../definition/option-readers.js';
import type { PayloadCodec } from '../engine/codec.js';
import { openItemsOf } from '../engine/fan-out.js';
import { nameOfItem } from '../engine/indexed-graph.js';
import type { ItemCounts, ItemRecordView, RunArchive, RunRecordView } from '../engine/ports.js';
import { decodeRunState, MARK } from '../engine/run-state.js';
import { isEnded, type StepStatus } from '../engine/words.js';
import type { DefinitionShelf } from './definition-shelf.js';
import { assertLimit } from './run-list.js';
import { invalid, reading } from './start-options.js';

const DEFAULT_LIMIT = 100;
const MAX_INDEX = 1_000_000;

/**
 * One item of a fan-out as it stands.
 *
 * @publicApi
 */
export interface ItemDetails {
  /** Its place in the list, from 0. */
  readonly index: number;
  readonly status: StepStatus;
  readonly item: unknown;
  /** How often it was taken up. */
  readonly attempt: number;
  /** How many attempts failed. */
  readonly failures: number;
  /** How many attempts ended with their worker. */
  readonly crashes: number;
  /** Its result, once it has completed. */
  readonly result: unknown;
  /** The error of its last failed attempt, or null. */
  readonly error: unknown;
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
  /** Of a `@Child` that has begun a run for it: the id of that. */
  readonly childRunId?: string;
}

/**
 * A page of the items of a fan-out, in their order.
 *
 * @publicApi
 */
export interface ItemsPage {
  readonly items: readonly ItemDetails[];
  /** Pass it on as `cursor` for the next page; null on the last. */
  readonly nextCursor: number | null;
}

/**
 * Which items `items()` gives.
 *
 * @publicApi
 */
export interface ItemsOptions {
  /**
   * The `nextCursor` of the page before: the index of the first item.
   * @default 0
   */
  readonly cursor?: number;
  /**
   * At most so many, from 1 to 1,000.
   * @default 100
   */
  readonly limit?: number;
}

export interface ItemPagesPorts {
  readonly archive: RunArchive;
  readonly shelf: DefinitionShelf;
  readonly codec: PayloadCodec;
}

/** Where callers look at the items of a fan-out. */
export class ItemPages {
  constructor(private readonly ports: ItemPagesPorts) {}

  /** @throws OrchestrateFlowError `OF_ARGUMENT_INVALID` where the step is no fan-out, or the options are none */
  async read(run: RunRecordView, step: string, written: ItemsOptions = {}): Promise<ItemsPage> {
    const { archive, shelf, codec } = this.ports;
    const { cursor, limit } = readOptions(written);
    const { graph } = await shelf.get(run.definition, run.workflow);
    const position = graph.positions.get(step);
    if (position === undefined || graph.nodes[position]!.fanOut === undefined)
      throw invalid(
        `Expected a fan-out of workflow "${run.workflow}", got ${show(step)}: no step of this name has @Item.`,
      );
    const page = { runId: run.id, generation: run.generation, step, after: cursor - 1, limit: limit + 1 };
    const rows = await archive.items(page);
    const state = decodeRunState(run.state);
    const isOpen = !isEnded(run.status) && (state.marks[position] === MARK.fanned || state.fanOuts?.has(step) === true);
    const begun = graph.nodes[position]!.kind === 'child' ? rows.filter(({ attempt }) => attempt > 0) : [];
    const children = await archive.findChildren(
      run.id,
      begun.map(({ index }) => nameOfItem(step, index)),
    );
    const items = rows.slice(0, limit).map((row) => {
      const hold = state.holds.get(`${step}[${row.index}]`);
      if (hold) return { ...toDetails(row, codec), status: 'running' as const, attempt: hold.attempt };
      const isDropped = row.status === 'pending' && !isOpen && state.marks[position] !== MARK.held;
      const child = children.get(nameOfItem(step, row.index));
      const ofChild = child === undefined ? {} : { childRunId: child };
      return { ...toDetails(row, codec), ...ofChild, ...(isDropped && { status: 'cancelled' as const }) };
    });
    return { items, nextCursor: rows.length > limit ? rows[limit]!.index : null };
  }

  /** The counts of each fan-out of a run that has begun to run its items, by its name. */
  async count(run: RunRecordView, steps: readonly string[]): Promise<ReadonlyMap<string, ItemCounts>> {
    const { fanOuts } = decodeRunState(run.state);
    const counts = new Map<string, ItemCounts>();
    for (const step of steps) {
      const fanOut = fanOuts?.get(step);
      if (fanOut) {
        const { total, next, completed, failed, cancelled } = fanOut;
        counts.set(step, { total, pending: total - next, running: openItemsOf(fanOut), completed, failed, cancelled });
      } else {
        counts.set(step, await this.ports.archive.countItems(run.id, run.generation, step));
      }
    }
    return counts;
  }
}

function readOptions(written: ItemsOptions): { cursor: number; limit: number } {
  const { cursor = 0, limit = DEFAULT_LIMIT } = reading('the options of items()', () => ({ ...written }));
  assertLimit(limit);
  if (!Number.isInteger(cursor) || cursor < 0 || cursor > MAX_INDEX)
    throw invalid(`Expected cursor to be the nextCursor of an earlier page, got ${show(cursor)}.`);
  return { cursor, limit };
}

function toDetails(row: ItemRecordView, codec: PayloadCodec): ItemDetails {
  const { index, status, attempt, failures, crashes, startedAt, endedAt } = row;
  const last = row.errors.at(-1);
  const result = row.result === null || status !== 'completed' ? undefined : codec.decode(row.result);
  const error = last === undefined ? null : codec.decodeError(last);
  const item = codec.decode(row.payload);
  return { index, status, item, attempt, failures, crashes, result, error, startedAt, endedAt };
}

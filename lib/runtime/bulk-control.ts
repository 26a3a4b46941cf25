import { OrchestrateFlowError } from '../engine/errors.js';
import type { RunArchive, RunQuery } from '../engine/ports.js';
import type { RunStatus } from '../engine/words.js';
import type { BulkOutcome, BulkRefusal, ControlOptions, RunFilter } from './orchestrator-options.js';
import type { RunControl } from './run-control.js';
import type { RunFinder } from './run-finder.js';
import { readListOptions } from './run-list.js';
import { readAsked, readRunFilter } from './start-options.js';

/** Runs that are read at a time, and of these so many are told at once. */
const PAGE = 500;
const AT_ONCE = 50;

/** The most runs of which an outcome says why they could not. */
const MAX_TOLD = 1_000;

/** What is asked of many runs: of those that are in one of these statuses. */
const ASKED_OF = {
  retry: ['failed'],
  cancel: ['pending', 'running', 'waiting', 'paused'],
  pause: ['pending', 'running', 'waiting'],
  resume: ['paused'],
} as const satisfies Readonly<Record<string, readonly RunStatus[]>>;

export type BulkAction = keyof typeof ASKED_OF;

/** Errors that say why one run could not: the others may all the same. */
const REFUSALS: ReadonlySet<string> = new Set([
  'OF_RUN_ENDED',
  'OF_RUN_NOT_FAILED',
  'OF_RUN_NOT_PAUSED',
  'OF_RUN_UNDONE',
  'OF_RUN_UNKNOWN',
]);

/** Asks the same of many runs: a page at a time, and each by the door by which it is asked of one. */
export class BulkControl {
  constructor(
    private readonly finder: RunFinder,
    private readonly control: RunControl,
    private readonly connect: () => { readonly archive: Pick<RunArchive, 'list'> },
  ) {}

  async ask(action: BulkAction, filter: RunFilter, options?: ControlOptions): Promise<BulkOutcome> {
    const { by, reason } = readAsked(options, `${action}All()`);
    const asked = { ...(by === null ? {} : { by }), ...(reason === null ? {} : { reason }) };
    const read = readRunFilter(filter, `${action}All()`);
    const listed = { ...read, status: ASKED_OF[action], limit: PAGE };
    let query: RunQuery = { ...readListOptions(listed, (workflow) => this.finder.nameOf(workflow)), parentId: null };
    const sum = { count: 0, refusedCount: 0, refused: [] as BulkRefusal[] };
    for (;;) {
      const { runs, last } = await this.connect().archive.list(query);
      const ids = runs.map(({ id }) => id);
      while (ids.length > 0) await this.askEach(action, ids.splice(0, AT_ONCE), asked, sum);
      if (last === null) return sum;
      query = { ...query, after: last };
    }
  }

  private async askEach(
    action: BulkAction,
    ids: readonly string[],
    asked: ControlOptions,
    sum: { count: number; refusedCount: number; refused: BulkRefusal[] },
  ): Promise<void> {
    const answers = await Promise.allSettled(ids.map((id) => this.control[action](id, asked)));
    for (const [index, answer] of answers.entries()) {
      if (answer.status === 'fulfilled') sum.count += 1;
      else {
        const error: unknown = answer.reason;
        if (!(error instanceof OrchestrateFlowError) || !REFUSALS.has(error.code)) throw error;
        sum.refusedCount += 1;
        if (sum.refused.length < MAX_TOLD) sum.refused.push({ runId: ids[index]!, error });
      }
    }
  }
}

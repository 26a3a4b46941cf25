import { performance } from 'node:perf_hooks';
// Not the timers of the global scope, which tests replace.
import { setTimeout as sleep } from 'node:timers/promises';

import { OrchestrateFlowError } from '../engine/errors.js';
import type { FlowRuntime } from '../runtime/flow-runtime.js';
import type { Orchestrator } from '../runtime/orchestrator.js';
import type { Busy, VirtualTime } from './virtual-time.js';

/** Milliseconds between two looks at what is under way. */
const POLL_MS = 5;

/** The most runs that an error tells of. */
const MAX_TOLD = 10;

/** Waits, in real time, until all that need not wait for virtual time has been dealt with. */
export class Quiet {
  /** Keys of what has been waited for long enough: time passes it by. */
  private passedBy = new Set<string>();

  constructor(
    private readonly time: VirtualTime,
    private readonly orchestrator: Orchestrator,
    private readonly runtime: () => FlowRuntime | null,
  ) {}

  /** Time was set: what has come due need not wait for the next beat. */
  look(): void {
    this.runtime()?.lookRound();
  }

  /** Resolves when nothing is under way, but for what has not changed for as long as patience lasts. */
  async settle(patienceMs: number): Promise<void> {
    const left = await this.wait(patienceMs, (busy) => busy.filter(({ key }) => !this.passedBy.has(key)));
    // Of what was passed by only that which is still there.
    const busy = await this.time.listBusy();
    const keys = new Set(left.map(({ key }) => key));
    this.passedBy = new Set(busy.map(({ key }) => key).filter((key) => keys.has(key) || this.passedBy.has(key)));
  }

  /** Resolves when nothing is under way. */
  async drain(timeoutMs: number): Promise<void> {
    this.look();
    const left = await this.wait(timeoutMs, (busy) => busy);
    if (left.length > 0) throw await this.notDrained(left, timeoutMs);
  }

  /** @returns what has not changed for so long */
  private async wait(patienceMs: number, choose: (busy: readonly Busy[]) => readonly Busy[]): Promise<readonly Busy[]> {
    let seen = '';
    let since = performance.now();
    for (;;) {
      const all = await this.time.listBusy();
      const busy = choose(all);
      // What the database has been told of the runtime may still have to act upon, unless it waits for what is passed by.
      if (busy.length === 0 && (all.length > 0 || (this.runtime()?.isQuiet ?? true))) return [];
      const now = busy.map(({ key }) => key).join();
      if (now !== seen) [seen, since] = [now, performance.now()];
      else if (performance.now() - since > patienceMs) return busy;
      await sleep(POLL_MS);
    }
  }

  private async notDrained(left: readonly Busy[], timeoutMs: number): Promise<OrchestrateFlowError> {
    const runIds = [...new Set(left.flatMap(({ runId }) => runId ?? []))];
    const schedules = left
      .filter(({ runId }) => runId === null)
      .map(({ key }) => `  - ${key} has an occurrence that is due`);
    const runs = await Promise.all(runIds.slice(0, MAX_TOLD).map((runId) => this.tell(runId)));
    const told = [...runs, ...schedules.slice(0, MAX_TOLD)];
    const more = runIds.length > MAX_TOLD ? `\n  - and ${runIds.length - MAX_TOLD} more` : '';
    return new OrchestrateFlowError(
      'OF_TEST_NOT_DRAINED',
      `Cannot drain: for ${timeoutMs} ms nothing has changed, and these are still under way:\n${told.join('\n')}${more}\n` +
        'Let the steps end, advance past their timeouts, or stub them. Steps that stay ready have no worker: see `worker` of the options.',
    );
  }

  private async tell(runId: string): Promise<string> {
    const [run, steps] = await Promise.all([this.orchestrator.get(runId), this.orchestrator.steps(runId)]);
    const open = steps.filter(({ status }) => status === 'ready' || status === 'running' || status === 'retrying');
    const states = open.map(({ name, status, attempt }) => `step "${name}" is ${status} (attempt ${attempt})`);
    return `  - run ${runId} of workflow "${run.workflow}" is ${run.status}${states.length > 0 ? `: ${states.join(', ')}` : ''}`;
  }
}

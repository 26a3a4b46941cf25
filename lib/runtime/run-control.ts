import { OrchestrateFlowError } from '../engine/errors.js';
import type { RunStore } from '../engine/ports.js';
import { isEnded, isStopping, type RunStatus } from '../engine/words.js';
import type { ControlOptions, PurgeOptions, RunAddress } from './orchestrator-options.js';
import type { RunDesk } from './run-desk.js';
import type { RunFinder } from './run-finder.js';
import { purgeAll } from './retention.js';
import { readPurgeOptions } from './run-list.js';
import { readAsked } from './start-options.js';

export interface RunControlPorts {
  readonly desk: RunDesk;
  readonly store: Pick<RunStore, 'purge' | 'deleteRun'>;
}

/** Steers runs from outside: tells them what is asked of them, and says where it came too late. */
export class RunControl {
  /** @param connect asked anew by each step of the way: it throws once the app has shut down */
  constructor(
    private readonly finder: RunFinder,
    private readonly connect: () => RunControlPorts,
  ) {}

  async cancel(address: RunAddress, options?: ControlOptions): Promise<void> {
    const asked = readAsked(options, 'cancel()');
    const before = await this.finder.getRecord(address);
    if (!isEnded(before.status)) await this.connect().desk.tell(before.id, { type: 'cancel-requested', ...asked });
    const { id, status } = await this.finder.getRecord(before.id);
    if (status === 'cancelling' || status === 'cancelled') return;
    if (status === 'compensating' && before.failure === null) return;
    // It had failed already, and has only waited to be stopped.
    if (before.status === 'paused' && before.failure !== null && status !== 'terminated') return;
    throw new OrchestrateFlowError(
      'OF_RUN_ENDED',
      `Cannot cancel run ${id}: it is ${status}. Only a run that goes on can be cancelled.`,
    );
  }

  async terminate(address: RunAddress, options?: ControlOptions): Promise<void> {
    const asked = readAsked(options, 'terminate()');
    const before = await this.finder.getRecord(address);
    if (!isEnded(before.status)) await this.connect().desk.tell(before.id, { type: 'terminate-requested', ...asked });
    const { id, status } = await this.finder.getRecord(before.id);
    if (status === 'terminated') return;
    throw new OrchestrateFlowError(
      'OF_RUN_ENDED',
      `Cannot terminate run ${id}: it is ${status}. Only a run that has not ended can be terminated.`,
    );
  }

  async retry(address: RunAddress, options?: ControlOptions): Promise<void> {
    const asked = readAsked(options, 'retry()');
    const before = await this.finder.getRecord(address);
    const { id, generation } = before;
    if (before.status !== 'failed')
      throw new OrchestrateFlowError(
        'OF_RUN_NOT_FAILED',
        `Cannot retry run ${id}: it is ${before.status}. Only a run that has failed can be retried.`,
      );
    const { desk } = this.connect();
    await desk.tell(id, { type: 'retry-requested', ...asked });
    if ((await this.finder.getRecord(id)).generation === generation)
      throw new OrchestrateFlowError(
        'OF_RUN_UNDONE',
        `Cannot retry run ${id}: what it did has been undone, and its results are no longer true. Start another run.`,
      );
    // Signals that it had taken are there again: seen to now, and by the next beat if this fails.
    await desk.tell(id, { type: 'signalled' }).catch(() => undefined);
  }

  async pause(address: RunAddress, options?: ControlOptions): Promise<void> {
    const asked = readAsked(options, 'pause()');
    const before = await this.finder.getRecord(address);
    if (goesOn(before.status)) await this.connect().desk.tell(before.id, { type: 'pause-requested', ...asked });
    const { id, status } = await this.finder.getRecord(before.id);
    // Somebody may have resumed it already.
    if (status === 'paused' || (goesOn(before.status) && goesOn(status))) return;
    throw new OrchestrateFlowError(
      'OF_RUN_ENDED',
      `Cannot pause run ${id}: it is ${status}. Only a run that goes on can be paused.`,
    );
  }

  async resume(address: RunAddress, options?: ControlOptions): Promise<void> {
    const asked = readAsked(options, 'resume()');
    const { id, status } = await this.finder.getRecord(address);
    if (status !== 'paused')
      throw new OrchestrateFlowError(
        'OF_RUN_NOT_PAUSED',
        `Cannot resume run ${id}: it is ${status}. Only a run that is paused can be resumed.`,
      );
    await this.connect().desk.tell(id, { type: 'resume-requested', ...asked });
  }

  async wake(address: RunAddress, options?: ControlOptions): Promise<void> {
    const asked = readAsked(options, 'wake()');
    const { id, status } = await this.finder.getRecord(address);
    if (isEnded(status) || isStopping(status))
      throw new OrchestrateFlowError(
        'OF_RUN_ENDED',
        `Cannot wake run ${id}: it is ${status}. Only a run that goes on can be woken.`,
      );
    if (status === 'paused')
      throw new OrchestrateFlowError(
        'OF_RUN_PAUSED',
        `Cannot wake run ${id}: it is paused, and nothing in it begins. Resume it first.`,
      );
    await this.connect().desk.tell(id, { type: 'wake-requested', ...asked });
  }

  async delete(address: RunAddress, options?: ControlOptions): Promise<void> {
    const asked = readAsked(options, 'delete()');
    const { id } = await this.finder.getRecord(address);
    if (await this.connect().store.deleteRun(id, asked)) return;
    // Not there any more, not yet ended, or read by another.
    const { status, parentId } = await this.finder.getRecord(id);
    if (isEnded(status) && parentId !== null)
      throw new OrchestrateFlowError(
        'OF_RUN_OPEN',
        `Cannot delete run ${id}: its parent, run ${parentId}, goes on and may read what has come of it. Delete it when that has ended.`,
      );
    throw new OrchestrateFlowError(
      'OF_RUN_OPEN',
      `Cannot delete run ${id}: it is ${status}. Let it end, or cancel or terminate it first.`,
    );
  }

  async purge(options: PurgeOptions): Promise<number> {
    const request = readPurgeOptions(options, (workflow) => this.finder.nameOf(workflow));
    return purgeAll(this.connect().store, request);
  }
}

/** Whether a run in this status can be paused. */
function goesOn(status: RunStatus): boolean {
  return status === 'pending' || status === 'running' || status === 'waiting';
}

import { show } from '../definition/option-readers.js';
import { isResolution } from '../definition/verdict.js';
import type { PayloadCodec } from '../engine/codec.js';
import { OrchestrateFlowError } from '../engine/errors.js';
import type { Asked, Resolution } from '../engine/facts.js';
import { findPosition, nodeAt, placeOf, type StepPlace } from '../engine/indexed-graph.js';
import { oneLine } from '../engine/one-line.js';
import type { RunArchive, RunRecordView, StepRecordView } from '../engine/ports.js';
import type { DefinitionShelf } from './definition-shelf.js';
import type { ControlOptions, RunAddress } from './orchestrator-options.js';
import type { RunDesk } from './run-desk.js';
import type { RunFinder } from './run-finder.js';
import { invalid, readAsked, reading } from './start-options.js';

export interface ResolutionDeskPorts {
  readonly desk: RunDesk;
  readonly shelf: DefinitionShelf;
  readonly archive: Pick<RunArchive, 'findStep'>;
  readonly codec: PayloadCodec;
}

/** Where a person says what has come of a step that is in doubt. */
export class ResolutionDesk {
  /** @param connect asked anew by each step of the way: it throws once the app has shut down */
  constructor(
    private readonly finder: RunFinder,
    private readonly connect: () => ResolutionDeskPorts,
  ) {}

  async resolve(address: RunAddress, step: string, written: unknown, options?: ControlOptions): Promise<void> {
    const resolution = this.read(step, written);
    const asked = readAsked(options, 'resolve()');
    const run = await this.finder.getRecord(address);
    const place = await this.findPlace(run, step);
    const find = () => this.connect().archive.findStep(run.id, run.generation, place);
    const waiting = await find();
    if (waiting?.status !== 'waiting' || waiting.stage !== 'in-doubt') throw notInDoubt(run.id, step, waiting);
    const { attempt } = waiting;
    const said = { step, attempt, resolution, ...nameStep(step, resolution, asked) };
    await this.connect().desk.tell(run.id, { type: 'resolve-requested', ...said });
    const row = await find();
    if (!isResolved(row, attempt, resolution)) throw notInDoubt(run.id, step, row);
  }

  private read(step: string, written: unknown): Resolution {
    const { done, result } = reading('a resolution', () => {
      if (isResolution(written))
        return { done: written.done, result: 'result' in written ? written.result : undefined };
      throw invalid(`Expected { done: false } or { done: true, result }, got ${show(written)}.`);
    });
    if (done) return { kind: 'done', result: this.connect().codec.encode(result, `the result of step "${step}"`) };
    if (result === undefined) return { kind: 'not done' };
    throw invalid('Expected { done: false } without a result: a step that has not been done has none.');
  }

  private async findPlace(run: RunRecordView, step: unknown): Promise<StepPlace> {
    const { graph } = await this.connect().shelf.get(run.definition, run.workflow);
    const position = typeof step === 'string' ? findPosition(graph, step) : undefined;
    if (position !== undefined) return placeOf(nodeAt(graph, position));
    throw invalid(`Expected a step of workflow "${run.workflow}", or an item such as "bill[7]", got ${show(step)}.`);
  }
}

/** What the audit log says of it. */
function nameStep(step: string, { kind }: Resolution, { by, reason }: Asked): Asked {
  return { by, reason: `step "${oneLine(step)}" is ${kind}${reason === null ? '' : `: ${reason}`}` };
}

/** Whether it came to what was said of this attempt, and not to what somebody else has said of it. */
function isResolved(row: StepRecordView | null, attempt: number, resolution: Resolution): boolean {
  if (row === null) return false;
  const isOfAttempt = row.attempt === attempt;
  if (resolution.kind === 'done') return isOfAttempt && row.status === 'completed' && row.result === resolution.result;
  return !isOfAttempt || row.status === 'ready';
}

function notInDoubt(runId: string, step: string, row: Pick<StepRecordView, 'status'> | null): OrchestrateFlowError {
  const status = row === null ? 'has not come to its turn, or is running' : `is ${row.status}`;
  return new OrchestrateFlowError(
    'OF_STEP_NOT_IN_DOUBT',
    `Cannot resolve step "${oneLine(step)}" of run ${runId}: it ${status}, and waits for nobody to say whether it has been done. ` +
      'Look at steps(): somebody else may have resolved it.',
  );
}

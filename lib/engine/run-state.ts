import { OrchestrateFlowError } from './errors.js';
import { encodeFanOut, findFanOut, type FanOut } from './fan-out.js';
import type { GraphNode } from './graph.js';

/**
 * What has become of a node, one letter each. `queued`: the node has an open row of its own in the step table (ready,
 * running, retrying or waiting) and only that row knows which, because a claim changes the row and not the run. `waiting`:
 * the same, and when the run was last decided the row waited for a time. `aborting`: it has lost a join; its attempt, in a
 * row of its own, may still report. `late`: it did, and had completed: nobody takes its result. `dormant`: a compensation
 * that nothing has called for. `fanned`: its items are on their way; where they are given up it is `aborting`. Capital letters: it ended without a result, and an attempt may have had its effect all the
 * same; told apart only where the step can be compensated.
 */
export const MARK = {
  pending: '.',
  held: 'h',
  queued: 'q',
  waiting: 'w',
  aborting: 'a',
  fanned: 'i',
  completed: 'c',
  failed: 'f',
  skipped: 's',
  cancelled: 'x',
  late: 'd',
  dormant: 'z',
  failedInDoubt: 'F',
  cancelledInDoubt: 'X',
} as const;

export type Mark = (typeof MARK)[keyof typeof MARK];

/** The counters of a step: `attempt` counts claims and is the fence, `failures` is what the retry policy limits. */
export interface Tally {
  readonly attempt: number;
  readonly failures: number;
  /** Attempts that ended with their worker. */
  readonly crashes: number;
  /** What is behind it of that which goes before its own code; absent where nothing is. */
  readonly stage?: Stage;
  /** Of a step that is repeated: the rounds that are behind it, where there are any. Of a row only. */
  readonly rounds?: number;
  /** Whether an attempt was given up before it ended, so that nobody knows whether it had its effect. Of a row only. */
  readonly inDoubt?: true;
}

/**
 * `admitted`: its condition was met and is not asked again. `parked`: it waits for a signal, or its code has said until when
 * it waits. `received`: the signal that it waited for has come. `expanded`: its items are stored and on their way. `committed`:
 * its own transaction has written its result into its row; whatever becomes of its attempt, it has completed. `tried`: what its
 * round has given is in its row, and whether that is enough is still to be said.
 */
export type Stage = 'admitted' | 'parked' | 'received' | 'expanded' | 'committed' | 'tried';

/** A claim that lies in the run's state: the step runs in the run's worker and has no row until it ends. */
export interface Hold extends Tally {
  /** The database's time of the claim; absent while the claim's own commit is the run's newest. */
  readonly since?: string;
}

/** The compact state of a run: one mark per node, in the order of the graph, and the claims held in it. */
export interface RunState {
  readonly marks: string;
  readonly holds: ReadonlyMap<string, Hold>;
  /** Of each fan-out whose items are on their way, by its name. @default none */
  readonly fanOuts?: ReadonlyMap<string, FanOut>;
}

/** The state of a run in which nothing has happened yet. */
export function newRunState(nodes: readonly GraphNode[]): RunState {
  const marks = nodes.map(({ kind }) => (kind === 'compensation' ? MARK.dormant : MARK.pending));
  return { marks: marks.join(''), holds: new Map() };
}

/** `marks`, then for each hold `;name,attempt,failures,crashes,since[,stage]`, then the fan-outs: names are method names and hold neither comma nor semicolon once encoded. */
export function encodeRunState(state: RunState): string {
  let text = state.marks;
  for (const [name, hold] of state.holds) {
    text += `;${encodeURIComponent(name)},${hold.attempt},${hold.failures},${hold.crashes},${hold.since ?? ''}`;
    if (hold.stage) text += `,${hold.stage}`;
  }
  for (const [name, fanOut] of state.fanOuts ?? []) text += `;${encodeFanOut(name, fanOut)}`;
  return text;
}

const MARKS = new RegExp(`^[${Object.values(MARK).join('')}]+$`);
const HOLD = /^([^,]+),(\d+),(\d+),(\d+),([^,]*)(?:,(admitted|parked|received))?$/;

/**
 * The state of a text that `encodeRunState` wrote.
 *
 * @throws OrchestrateFlowError `OF_STATE_CORRUPT` where the text is none
 */
export function decodeRunState(text: string): RunState {
  const [marks = '', ...parts] = text.split(';');
  if (!MARKS.test(marks)) throw corrupt(text);
  const holds = new Map<string, Hold>();
  const fanOuts = new Map<string, FanOut>();
  for (const part of parts) {
    const found = findFanOut(part);
    const fanned = found && findDecoded(found[0]);
    if (found && fanned) {
      fanOuts.set(fanned, found[1]);
      continue;
    }
    const [, name, attempt, failures, crashes, since, stage] = HOLD.exec(part) ?? [];
    const step = name && findDecoded(name);
    if (!step) throw corrupt(text);
    const tally = { attempt: Number(attempt), failures: Number(failures), crashes: Number(crashes), ...staged(stage) };
    holds.set(step, since ? { ...tally, since } : tally);
  }
  return fanOuts.size === 0 ? { marks, holds } : { marks, holds, fanOuts };
}

/** The stage as a part of a tally, which has none where nothing is behind it. */
export function staged(stage: string | null | undefined): Pick<Tally, 'stage'> {
  return stage ? { stage: stage as Stage } : {};
}

/** A step's doubt as a part of a tally. */
export function doubted(inDoubt: boolean | null | undefined): Pick<Tally, 'inDoubt'> {
  return inDoubt ? { inDoubt: true } : {};
}

/** The rounds behind a step as a part of a tally. */
export function repeated(rounds: number | null | undefined): Pick<Tally, 'rounds'> {
  return rounds ? { rounds } : {};
}

/** What `encodeURIComponent` made this of, or null where it made no such text. */
function findDecoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

function corrupt(text: string): OrchestrateFlowError {
  return new OrchestrateFlowError(
    'OF_STATE_CORRUPT',
    `Cannot read the state of a run: "${text.slice(0, 200)}" was not written by this library. Restore the row from a backup.`,
  );
}

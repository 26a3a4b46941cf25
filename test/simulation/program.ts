import { DEFAULT_QUEUE, type GraphNode, type WorkflowGraph } from '../../lib/engine/graph.js';
import { OVERLAPS, type CatchUp, type Overlap } from '../../lib/engine/occurrences.js';
import type { WorkflowLimits } from '../../lib/engine/limits.js';
import type { RetryPolicy } from '../../lib/engine/retry-policy.js';
import { Dice } from './dice.js';

/** What a step does in a run. It fails so often, in this way, and then ends as it ends. */
export interface StepPlan {
  readonly durationMs: number;
  readonly failures: number;
  readonly fails: 'throws' | 'hangs' | 'asks for a delay';
  readonly ends: 'completes' | 'fails for good' | 'returns what cannot be stored' | 'kills its process';
  /** Whether it waits for nothing. */
  readonly isPlain: boolean;
  /** What its condition says, where it has one. */
  readonly isMet: boolean;
  /** Milliseconds from its end that a `sleep-until` waits. */
  readonly untilMs: number;
}

/** A run and how it is started. */
export interface RunPlan {
  readonly workflow: number;
  readonly atMs: number;
  /** Index of the seat whose process starts it. */
  readonly seat: number;
  readonly key: string | null;
  /** Another process that starts it by the same key at about the same time. */
  readonly twin: { readonly seat: number; readonly atMs: number } | null;
  readonly delayMs: number | null;
  readonly priority: number;
  readonly tenant: string | null;
  readonly transaction: { readonly openMs: number; readonly commits: boolean } | null;
  /** Runs with the same number are started by one `startMany()`. */
  readonly group: number | null;
  /** The schedule that starts it, and nobody else. */
  readonly schedule: string | null;
  readonly isAwaited: boolean;
  readonly cancel: { readonly atMs: number; readonly seat: number } | null;
  readonly wake: { readonly atMs: number; readonly seat: number } | null;
  readonly terminate: { readonly atMs: number; readonly seat: number } | null;
  /** Whether what failed for good completes once the run has been retried. */
  readonly mends: boolean;
  /** Retries it at these times, where it has failed by then. */
  readonly retries: readonly { readonly atMs: number; readonly seat: number }[];
  /** Pauses it at these times, each for so long. */
  readonly pauses: readonly PausePlan[];
  readonly signals: readonly SignalPlan[];
  readonly steps: Readonly<Record<string, StepPlan>>;
}

export interface PausePlan {
  readonly atMs: number;
  readonly forMs: number;
  readonly seat: number;
}

/** A schedule that every process declares which has its workflow. Its occurrences have runs from `firstRun` on, so many. */
export interface SchedulePlan {
  readonly name: string;
  readonly workflow: number;
  readonly everyMs: number;
  readonly overlap: Overlap;
  readonly catchUp: CatchUp;
  readonly firstRun: number;
  readonly count: number;
}

/** A signal to a run; the same number is the same signal, sent again. */
export interface SignalPlan {
  readonly name: string;
  readonly number: number;
  readonly atMs: number;
  readonly seat: number;
}

/** A place for a process: one after the other sits there. Without slots its processes only start runs. */
export interface SeatPlan {
  readonly concurrency: number;
  readonly queues: readonly string[];
  /** Workflows for which its processes have code. */
  readonly workflows: readonly number[];
}

export type Mischief =
  | { readonly kind: 'kill'; readonly atMs: number; readonly seat: number }
  | { readonly kind: 'stop'; readonly atMs: number; readonly seat: number; readonly forMs: number }
  | { readonly kind: 'terminate'; readonly atMs: number; readonly seat: number; readonly timeoutMs: number }
  | { readonly kind: 'cut off'; readonly atMs: number; readonly seat: number; readonly forMs: number }
  | { readonly kind: 'outage'; readonly atMs: number; readonly forMs: number };

/** How often something goes wrong on the way, in one. */
export interface FaultRates {
  readonly lost: number;
  readonly slow: number;
  /** A row is passed by because somebody has locked it. */
  readonly skipped: number;
  readonly bellLost: number;
  readonly bellDoubled: number;
  /** A process is killed, or stopped, just before or after what it sent has come in. */
  readonly killed: number;
  readonly stopped: number;
}

/** Everything that a seed says: what runs, where, and what goes wrong. */
export interface Program {
  readonly seed: number;
  readonly leaseMs: number;
  readonly maxCrashes: number;
  /** For how long anything may go wrong. */
  readonly chaosMs: number;
  readonly workflows: readonly WorkflowGraph[];
  readonly seats: readonly SeatPlan[];
  readonly runs: readonly RunPlan[];
  readonly schedules: readonly SchedulePlan[];
  readonly limits: readonly WorkflowLimits[];
  readonly mischief: readonly Mischief[];
  readonly rates: FaultRates;
}

const TENANTS = [null, 'acme', 'globex'] as const;

const QUEUES = [DEFAULT_QUEUE, 'pdf'] as const;

const NO_FAULTS: FaultRates = { lost: 0, slow: 0, skipped: 0, bellLost: 0, bellDoubled: 0, killed: 0, stopped: 0 };

/** The program of a seed. */
export function writeProgram(seed: number): Program {
  const dice = new Dice(seed);
  const leaseMs = dice.pick([1_000, 3_000, 10_000]);
  const chaosMs = leaseMs * dice.int(2, 5);
  const plain = Array.from({ length: dice.int(1, 3) }, (_, index) => writeGraph(dice, index, leaseMs));
  const workflows = beating(
    new Dice(~seed ^ 1),
    repeating(new Dice(~seed ^ 2), hurry(new Dice(~seed), plain, leaseMs)),
  );
  const seats = Array.from({ length: dice.int(1, 4) }, (_, index) => writeSeat(dice, index, workflows.length));
  const runs = writeRuns(dice, { leaseMs, chaosMs, workflows, seats });
  // A third of all programs has one kind of trouble alone, so that nothing else covers what it does.
  const kinds = dice.some(['rates', 'kill', 'stop', 'terminate', 'cut off', 'outage'] as const, dice.pick([0.1, 0.5]));
  const mischief = kinds.flatMap((kind) =>
    kind === 'rates'
      ? []
      : Array.from({ length: dice.int(1, 4) }, () => writeMischief(dice, kind, { leaseMs, chaosMs, seats })),
  );
  const rates = kinds.includes('rates') ? writeRates(dice) : NO_FAULTS;
  const maxCrashes = dice.int(3, 5);
  const program = { seed, leaseMs, maxCrashes, chaosMs, workflows, seats, mischief, rates };
  const frame = { leaseMs, chaosMs, workflows, seats };
  const withSchedules = addSchedules(dice, runs, frame);
  const withPauses = withSchedules.runs.map((run) => addPauses(dice, run, frame));
  return addLimits(dice, { ...program, ...withSchedules, runs: withPauses });
}

/** After all else: programs in which nothing is paused are what they were before anything could be. */
function addPauses(dice: Dice, run: RunPlan, { leaseMs, seats }: Frame): RunPlan {
  if (!dice.chance(0.2)) return run;
  const pauses = Array.from({ length: dice.int(1, 3) }, (): PausePlan => {
    const atMs = run.atMs + dice.delay(leaseMs);
    return { atMs, forMs: dice.delay(2 * leaseMs), seat: dice.int(0, seats.length - 1) };
  });
  return { ...run, pauses };
}

/** After all else, for the same reason as schedules. */
function addLimits(dice: Dice, program: Omit<Program, 'limits'>): Program {
  if (dice.chance(0.6)) return { ...program, limits: [] };
  const limits = program.workflows.flatMap(({ workflow }): WorkflowLimits[] => {
    const [total, perTenant] = dice.pick([
      [1, null],
      [3, null],
      [null, 1],
      [2, 1],
      [null, null],
    ] as const);
    return total === null && perTenant === null ? [] : [{ workflow, total, perTenant }];
  });
  const runs = program.runs.map((run) => (run.schedule === null ? { ...run, tenant: dice.pick(TENANTS) } : run));
  return { ...program, runs, limits };
}

/** Steps that workers have to take in time, in a third of all programs. By dice of their own: the others are what they were. */
function hurry(dice: Dice, workflows: readonly WorkflowGraph[], leaseMs: number): readonly WorkflowGraph[] {
  if (dice.chance(2 / 3)) return workflows;
  const hurried = (node: GraphNode): GraphNode =>
    node.kind === undefined && dice.chance(0.5) ? { ...node, startWithinMs: dice.int(1, 2 * leaseMs) } : node;
  return workflows.map((graph) => ({ ...graph, nodes: graph.nodes.map(hurried) }));
}

/** Steps of several rounds, in a third of all programs. */
function repeating(dice: Dice, workflows: readonly WorkflowGraph[]): readonly WorkflowGraph[] {
  if (dice.chance(2 / 3)) return workflows;
  const again = (node: GraphNode): GraphNode =>
    node.kind === undefined && !node.transactional && !node.fanOut && dice.chance(0.4)
      ? { ...node, repeat: { until: `${node.name}IsDone`, everyMs: dice.pick([0, 1, 300]), max: ROUNDS } }
      : node;
  return workflows.map((graph) => ({ ...graph, nodes: graph.nodes.map(again) }));
}

/** As many rounds has each step that has several. */
export const ROUNDS = 3;

/** Steps that tell how far they are, in a third of all programs. */
function beating(dice: Dice, workflows: readonly WorkflowGraph[]): readonly WorkflowGraph[] {
  if (dice.chance(2 / 3)) return workflows;
  const told = (node: GraphNode): GraphNode =>
    node.kind === undefined && !node.transactional && !node.repeat && dice.chance(0.5)
      ? { ...node, heartbeatMs: 3_600_000 }
      : node;
  return workflows.map((graph) => ({ ...graph, nodes: graph.nodes.map(told) }));
}

/** Last of all: programs without schedules are what they were before there were any. */
function addSchedules(dice: Dice, runs: readonly RunPlan[], frame: Frame): Pick<Program, 'runs' | 'schedules'> {
  const schedules: SchedulePlan[] = [];
  const scheduled: RunPlan[] = [];
  for (let index = 0; index < dice.pick([0, 0, 1, 2]); index++) {
    const everyMs = dice.pick([1_000, 1_500, 4_000]);
    const count = dice.int(1, Math.max(1, Math.min(8, Math.floor(frame.chaosMs / everyMs))));
    const [overlap, catchUp] = [dice.pick(OVERLAPS), dice.pick([0, 1, 100, 100])];
    const name = `schedule${index}`;
    const workflow = dice.int(0, frame.workflows.length - 1);
    const firstRun = runs.length + scheduled.length;
    schedules.push({ name, workflow, everyMs, overlap, catchUp, firstRun, count });
    for (let number = 0; number < count; number++) {
      const plan = writeRun(dice, frame, { name, isPoison: false });
      const alone = { key: null, twin: null, transaction: null, isAwaited: false, wake: null, cancel: null };
      const steps = writeSteps(dice, frame.workflows[workflow]!, false);
      scheduled.push({
        ...plan,
        ...alone,
        workflow,
        steps,
        terminate: null,
        signals: [],
        retries: [],
        priority: 0,
        schedule: name,
      });
    }
  }
  return { runs: [...runs, ...scheduled], schedules };
}

function writeGraph(dice: Dice, index: number, leaseMs: number): WorkflowGraph {
  const names = Array.from({ length: dice.int(1, 6) }, (_, position) => `s${position}`);
  const shape = dice.pick(['sequence', 'fan', 'any'] as const);
  const plain = names.map((name, position): GraphNode => {
    const after = names.slice(0, position).filter((_, earlier) => isAfter(dice, shape, { position, earlier, names }));
    return {
      ...{ name, after, results: after.filter(() => dice.chance(0.8)), priority: dice.int(0, 1) },
      queue: dice.chance(0.8) ? QUEUES[0] : QUEUES[1],
      retry: writePolicy(dice),
      timeoutMs: dice.chance(0.4) ? dice.int(200, 600) : null,
      ...(dice.chance(0.2) && { transactional: true }),
    };
  });
  const nodes = dice.chance(0.5) ? plain : addTurns(dice, plain, leaseMs);
  const deadline = dice.chance(0.15) ? { deadlineMs: dice.int(1, 3 * leaseMs) } : {};
  return { ...deadline, workflow: `w${index}`, version: null, output: dice.chance(0.9) ? names.at(-1)! : null, nodes };
}

/** Adds conditions, joins, sleeps and failures that are tolerated. */
function addTurns(dice: Dice, plain: readonly GraphNode[], leaseMs: number): GraphNode[] {
  const nodes = plain.map((node): GraphNode => {
    const { name, after } = node;
    const join = after.length > 1 && dice.chance(0.4) ? { join: dice.int(1, after.length - 1) } : {};
    const when = dice.chance(0.2) ? { when: `${name}IsWanted` } : {};
    const wait = { delayMs: dice.int(1, leaseMs) };
    const { transactional: _, ...other } = node;
    if (dice.chance(0.15)) return { ...other, results: [], kind: 'sleep', ...wait, ...join, ...when };
    const waitMs = dice.int(1, 2 * leaseMs);
    const signals = dice.pick([['one'], ['other'], ['one', 'other']]);
    if (dice.chance(0.2)) return { ...node, kind: 'signal', signals, waitMs, ...join, ...when };
    const isUntil = dice.chance(0.1);
    const kind = isUntil ? { kind: 'sleep-until' as const } : dice.chance(0.1) ? wait : {};
    const onFailure = dice.chance(0.2) ? { onFailure: 'continue' as const } : {};
    const tolerate = dice.pick([0, 0, 1, '50%'] as const);
    const fanOut = !('kind' in kind) && dice.chance(0.3) ? { fanOut: { maxItems: dice.int(1, 3), tolerate } } : {};
    return { ...(isUntil ? other : node), ...kind, ...join, ...when, ...onFailure, ...fanOut };
  });
  const missing = findMissing(nodes);
  const needy = nodes.map((node) => {
    const needs = node.join === undefined ? node.after.filter((one) => missing.has(one) && dice.chance(0.5)) : [];
    for (const _ of needs) missing.add(node.name);
    return needs.length > 0 ? { ...node, needs } : node;
  });
  return dice.chance(0.5) ? needy : [...needy, ...needy.flatMap((node) => writeUndo(dice, node))];
}

/** A compensation of half of the steps. */
function writeUndo(dice: Dice, { name, kind, queue, priority, retry, timeoutMs }: GraphNode): GraphNode[] {
  if (kind === 'sleep' || dice.chance(0.5)) return [];
  const own = { name: `undo-${name}`, after: [], results: [], queue, priority, retry, timeoutMs };
  return [{ ...own, kind: 'compensation', compensates: name, ...(dice.chance(0.3) && { transactional: true }) }];
}

/** Steps that may end without a result, those apart that need one of these. */
function findMissing(nodes: readonly GraphNode[]): Set<string> {
  const missing = new Set<string>();
  for (const { name, after, when, join, kind } of nodes) {
    // A wait for a signal may be skipped when its time is over.
    if (when !== undefined || kind === 'signal') missing.add(name);
    if (join === undefined) continue;
    missing.add(name);
    for (const one of after) missing.add(one);
  }
  return missing;
}

function isAfter(
  dice: Dice,
  shape: 'sequence' | 'fan' | 'any',
  { position, earlier, names }: { position: number; earlier: number; names: readonly string[] },
): boolean {
  if (shape === 'sequence') return earlier === position - 1;
  if (shape === 'any') return dice.chance(0.4);
  const isJoin = position === names.length - 1;
  return isJoin ? earlier > 0 || names.length === 2 : earlier === 0;
}

function writePolicy(dice: Dice): RetryPolicy {
  return {
    attempts: dice.int(1, 4),
    backoff: dice.pick(['fixed', 'exponential', 'own'] as const),
    delayMs: dice.pick([0, 50, 400]),
    factor: 2,
    maxDelayMs: 1_000,
    jitter: dice.pick(['full', 'none'] as const),
  };
}

/** The first seat can do everything: else nothing would ever end. */
function writeSeat(dice: Dice, index: number, workflows: number): SeatPlan {
  const all = Array.from({ length: workflows }, (_, workflow) => workflow);
  if (index === 0) return { concurrency: dice.int(1, 4), queues: QUEUES, workflows: all };
  if (dice.chance(0.15)) return { concurrency: 0, queues: [], workflows: all };
  return { concurrency: dice.int(1, 4), queues: dice.some(QUEUES, 0.8), workflows: dice.some(all, 0.8) };
}

interface Frame {
  readonly leaseMs: number;
  readonly chaosMs: number;
  readonly workflows: readonly WorkflowGraph[];
  readonly seats: readonly SeatPlan[];
}

function writeRuns(dice: Dice, frame: Frame): RunPlan[] {
  const group = { atMs: dice.next() * frame.chaosMs, seat: dice.int(0, frame.seats.length - 1), workflow: 0 };
  const hasPoison = dice.chance(0.1);
  return Array.from({ length: dice.int(3, 12) }, (_, index) => {
    const isGrouped = dice.chance(0.2) && frame.seats[group.seat]!.workflows.includes(group.workflow);
    const run = writeRun(dice, frame, { name: `k${index}`, isPoison: hasPoison && index === 0 && !isGrouped });
    if (!isGrouped) return run;
    const { atMs, seat, workflow } = group;
    const steps = writeSteps(dice, frame.workflows[workflow]!, false);
    return { ...run, atMs, seat, workflow, steps, twin: null, transaction: null, group: 0 };
  });
}

function writeRun(dice: Dice, frame: Frame, { name, isPoison }: { name: string; isPoison: boolean }): RunPlan {
  const { leaseMs, chaosMs, workflows, seats } = frame;
  const workflow = dice.int(0, workflows.length - 1);
  const knowing = seats.flatMap((seat, index) => (seat.workflows.includes(workflow) ? [index] : []));
  const atMs = dice.next() * chaosMs * 0.8;
  const key = dice.chance(0.4) ? name : null;
  const twinAtMs = atMs + dice.delay(leaseMs / 4);
  const hasTwin = key !== null && dice.chance(0.6);
  return {
    ...{ workflow, atMs, seat: dice.pick(knowing), key, group: null, priority: dice.int(0, 2), tenant: null },
    twin: hasTwin ? { seat: dice.pick(knowing), atMs: twinAtMs } : null,
    delayMs: dice.chance(0.2) ? dice.int(1, leaseMs) : null,
    transaction: dice.chance(0.15) ? { openMs: dice.delay(leaseMs), commits: dice.chance(0.7) } : null,
    schedule: null,
    isAwaited: dice.chance(0.5),
    wake: dice.chance(0.1) ? { atMs: atMs + dice.delay(leaseMs), seat: dice.int(0, seats.length - 1) } : null,
    terminate: dice.chance(0.04) ? { atMs: atMs + dice.delay(leaseMs), seat: dice.int(0, seats.length - 1) } : null,
    mends: dice.chance(0.7),
    retries: Array.from({ length: dice.chance(0.4) ? dice.int(1, 3) : 0 }, () => {
      return { atMs: atMs + dice.next() * chaosMs, seat: dice.int(0, seats.length - 1) };
    }),
    pauses: [],
    signals: writeSignals(dice, { atMs, leaseMs, seats: seats.length }),
    cancel: dice.chance(0.2) ? { atMs: atMs + dice.delay(leaseMs), seat: dice.int(0, seats.length - 1) } : null,
    steps: writeSteps(dice, workflows[workflow]!, isPoison),
  };
}

function writeSignals(dice: Dice, frame: { atMs: number; leaseMs: number; seats: number }): SignalPlan[] {
  return Array.from({ length: dice.int(0, 4) }, (): SignalPlan => {
    const atMs = frame.atMs + dice.delay(frame.leaseMs);
    const seat = dice.int(0, frame.seats - 1);
    return { name: dice.pick(['one', 'other']), number: dice.int(0, 3), atMs, seat };
  });
}

function writeSteps(dice: Dice, { nodes }: WorkflowGraph, isPoison: boolean): Record<string, StepPlan> {
  const poisoned = isPoison ? dice.int(0, nodes.length - 1) : -1;
  const fatal = dice.chance(0.15) ? dice.int(0, nodes.length - 1) : -1;
  return Object.fromEntries(
    nodes.map((node, position) => [
      node.name,
      writeStep(dice, node, { isPoison: position === poisoned, isFatal: position === fatal }),
    ]),
  );
}

function writeStep(
  dice: Dice,
  node: GraphNode,
  { isPoison, isFatal }: { isPoison: boolean; isFatal: boolean },
): StepPlan {
  const attempts = node.kind === 'sleep' ? 1 : node.retry.attempts;
  const ends =
    isFatal && node.kind === undefined
      ? dice.pick(['fails for good', 'returns what cannot be stored'] as const)
      : 'completes';
  return {
    // Below its timeout, so that it never takes too long but by hanging.
    durationMs: Math.round(dice.delay(dice.chance(0.1) ? 1_500 : 150)) % (node.timeoutMs ?? Infinity),
    failures: dice.chance(0.3) ? dice.int(0, attempts - 1) : 0,
    fails: dice.pick(['throws', ...(node.timeoutMs === null ? [] : ['hangs' as const]), 'asks for a delay']),
    // One item after the other would kill its processes.
    ends: isPoison && node.kind === undefined && !node.fanOut?.tolerate ? 'kills its process' : ends,
    isPlain: dice.chance(0.1),
    isMet: dice.chance(0.6),
    untilMs: dice.int(-100, 1_000),
  };
}

function writeMischief(
  dice: Dice,
  kind: Mischief['kind'],
  { leaseMs, chaosMs, seats }: Pick<Frame, 'leaseMs' | 'chaosMs' | 'seats'>,
): Mischief {
  const at = { atMs: dice.next() * chaosMs, seat: dice.int(0, seats.length - 1) };
  switch (kind) {
    case 'kill':
      return { kind, ...at };
    case 'stop':
      return { kind, ...at, forMs: leaseMs * (1 + 2 * dice.next()) };
    case 'terminate':
      return { kind, ...at, timeoutMs: dice.delay(leaseMs) };
    case 'cut off':
      return { kind, ...at, forMs: leaseMs * 2 * dice.next() };
    case 'outage':
      return { kind, atMs: at.atMs, forMs: leaseMs * 2 * dice.next() };
  }
}

function writeRates(dice: Dice): FaultRates {
  const rate = (most: number) => (dice.chance(0.6) ? dice.next() * most : 0);
  return {
    ...{ lost: rate(0.05), slow: rate(0.05), skipped: rate(0.1), bellLost: rate(1), bellDoubled: rate(0.5) },
    ...{ killed: rate(0.01), stopped: rate(0.01) },
  };
}

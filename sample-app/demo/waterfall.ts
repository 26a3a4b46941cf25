import { bold, cyan, dim, green, magenta, red } from './paint.js';
import type { Attempt, Timeline } from './timeline.js';

const WIDTH = 56;
const NAME_WIDTH = 12;

const MARK_OF = {
  completed: ['█', green],
  failed: ['▓', red],
  lost: ['░', magenta],
  cancelled: ['▒', dim],
  running: ['▒', dim],
} as const;

/** The finished story of an order: one bar per attempt, all on one scale. */
export function drawWaterfall(timeline: Timeline): string {
  const attempts = [...timeline.attempts.values()].flat();
  if (!timeline.view || attempts.length === 0) return '';
  const from = Math.min(...attempts.map((attempt) => attempt.from));
  const to = Math.max(...attempts.map((attempt) => attempt.to ?? attempt.from));
  const column = (time: number) => Math.round(((time - from) / Math.max(to - from, 1)) * (WIDTH - 1));

  const { order, run } = timeline.view;
  const title = `order ${order.id}  ${order.customerName}, ${order.city} (${order.country})`;
  const outcome = run.status === 'completed' ? green('completed') : red(`failed: ${timeline.failure ?? 'unknown'}`);
  const lines = [...timeline.attempts]
    .filter(([, tries]) => tries.length > 0)
    .map(([step, tries]) => line(step, tries, column));
  return [`${bold(cyan(title))}  ${outcome} after ${seconds(to - from)}`, ...lines].join('\n');
}

/** The legend of the bars. */
export function legend(): string {
  const marks = (['completed', 'failed', 'lost'] as const).map((end) => `${MARK_OF[end][1](MARK_OF[end][0])} ${end}`);
  return dim(`each bar is an attempt: ${marks.join('  ')}  · waiting`);
}

function line(step: string, attempts: readonly Attempt[], column: (time: number) => number): string {
  const cells = new Array<string>(WIDTH).fill(' ');
  const first = attempts[0]!;
  const last = attempts.at(-1)!;
  cells.fill(dim('·'), column(first.from), column(last.to ?? last.from));
  for (const attempt of attempts) {
    const [mark, colour] = MARK_OF[attempt.end];
    cells.fill(colour(mark), column(attempt.from), column(attempt.to ?? attempt.from) + 1);
  }
  return `  ${step.padEnd(NAME_WIDTH)}${cells.join('')} ${dim(remark(attempts))}`;
}

function remark(attempts: readonly Attempt[]): string {
  const last = attempts.at(-1)!;
  const took = seconds((last.to ?? last.from) - attempts[0]!.from);
  if (last.number === 1) return took;
  const lost = attempts.filter((attempt) => attempt.end === 'lost').length;
  return `${took}, ${last.number} attempts${lost > 0 ? `, ${lost} lost with the worker` : ''}`;
}

function seconds(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}

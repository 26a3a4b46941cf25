import { bold, cyan, dim, green, magenta, red, yellow } from './paint.js';
import type { StepChange, Timeline } from './timeline.js';

/** Columns of the live table; steps of one group run side by side. */
const GROUPS: readonly (readonly (readonly [step: string, title: string])[])[] = [
  [['validate', 'validate']],
  [['reserve', 'reserve']],
  [
    ['charge', 'charge'],
    ['fraudCheck', 'fraud'],
    ['customs', 'customs'],
  ],
  [['pack', 'pack']],
  [
    ['printLabel', 'label'],
    ['invoice', 'invoice'],
    ['loyalty', 'loyalty'],
  ],
  [['ship', 'ship']],
  [['notify', 'notify']],
];

/** What the demo tells: on a terminal a table that changes in place, elsewhere one line per event. */
export interface Screen {
  say(text: string): void;
  changed(timeline: Timeline, changes: readonly StepChange[]): void;
  background(text: string): void;
  close(): void;
}

export function openScreen(startedAt: number): Screen {
  const isLive = process.stdout.isTTY && process.env['TERM'] !== 'dumb';
  return isLive ? new LiveScreen(startedAt) : new LineScreen(startedAt);
}

function clock(startedAt: number): string {
  return `+${((Date.now() - startedAt) / 1_000).toFixed(2)} s`.padStart(9);
}

/** How often a line says how all orders stand. */
const BACKGROUND_EVERY_MS = 2_000;

class LineScreen implements Screen {
  private nextBackgroundAt = 0;

  constructor(private readonly startedAt: number) {}

  say(text: string): void {
    console.log(`${clock(this.startedAt)}  ${text}`);
  }

  changed({ orderId }: Timeline, changes: readonly StepChange[]): void {
    for (const { step, attempt, kind, error } of changes) {
      const again = attempt > 1 || kind !== 'completed' ? ` (attempt ${attempt})` : '';
      const why = kind === 'lost' ? ': lost with its worker' : error === null ? '' : `: ${error}`;
      this.say(`order ${orderId}  ${step} ${SIGN_OF[kind]}${again}${why}`);
    }
  }

  background(text: string): void {
    if (Date.now() < this.nextBackgroundAt) return;
    this.nextBackgroundAt = Date.now() + BACKGROUND_EVERY_MS;
    this.say(text);
  }

  close(): void {}
}

const SIGN_OF = { completed: '✔', failed: '✘', retrying: '↻', lost: '☠' } as const;

/** Redraws its table over itself; what was said scrolls away above it. */
class LiveScreen implements Screen {
  private readonly timelines = new Map<string, Timeline>();
  private readonly ticker: NodeJS.Timeout;
  private progress = '';
  private drawnLines = 0;
  private isClosed = false;

  constructor(private readonly startedAt: number) {
    // No cursor, and no wrapping: a narrow terminal cuts the table off instead of breaking it.
    process.stdout.write('\u001b[?25l\u001b[?7l');
    this.ticker = setInterval(() => this.draw(), 100);
  }

  say(text: string): void {
    this.erase();
    console.log(`${dim(clock(this.startedAt))}  ${text}`);
    this.draw();
  }

  changed(timeline: Timeline): void {
    this.timelines.set(timeline.orderId, timeline);
  }

  background(text: string): void {
    this.progress = text;
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    clearInterval(this.ticker);
    this.draw();
    process.stdout.write('\u001b[?25h\u001b[?7h');
  }

  private draw(): void {
    this.erase();
    if (this.timelines.size === 0) return;
    const rows = [...this.timelines.values()].map((timeline) => row(timeline));
    const lines = ['', bold(header()), ...rows, dim(`${clock(this.startedAt)}  ${this.progress}`)];
    process.stdout.write(`${lines.join('\n')}\n`);
    this.drawnLines = lines.length;
  }

  private erase(): void {
    if (this.drawnLines > 0) process.stdout.write(`\u001b[${this.drawnLines}A\u001b[0J`);
    this.drawnLines = 0;
  }
}

function header(): string {
  return `order  ${GROUPS.map((group) => group.map(([, title]) => title).join(' ')).join(dim(' │ '))}`;
}

function row(timeline: Timeline): string {
  const groups = GROUPS.map((group) => group.map(([step, title]) => cell(timeline, step, title.length)).join(' '));
  const failure = timeline.failure === null ? '' : red(`  ${timeline.failure}`);
  return `${cyan(timeline.orderId.padEnd(5))}  ${groups.join(dim(' │ '))}${failure}`;
}

/** A sign and, from the second on, the number of the attempt: `✔ 2`. */
function cell(timeline: Timeline, step: string, width: number): string {
  const status = timeline.view?.steps.find(({ name }) => name === step)?.status ?? 'pending';
  const attempt = timeline.attempts.get(step)?.at(-1);
  const number = attempt && attempt.number > 1 ? String(attempt.number) : '';
  const [sign, colour] = timeline.isOrphaned(step) ? (['☠', magenta] as const) : LOOK_OF[status];
  return colour(`${sign}${number}`.padStart(Math.ceil((width + 1) / 2)).padEnd(width));
}

const LOOK_OF = {
  pending: ['·', dim],
  ready: ['○', dim],
  running: ['●', yellow],
  retrying: ['↻', yellow],
  completed: ['✔', green],
  failed: ['✘', red],
  cancelled: ['–', dim],
} as const;

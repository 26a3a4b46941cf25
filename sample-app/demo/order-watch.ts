import { setTimeout as pause } from 'node:timers/promises';

import type { ShopClient, Summary } from '../data/shop-client.js';
import type { Screen } from './screen.js';
import { Timeline } from './timeline.js';

const POLL_MS = 100;

/** Looks at the shop from outside, again and again, and tells the screen what has changed. */
export class OrderWatch {
  readonly timelines = new Map<string, Timeline>();
  summary: Summary = {};
  private killedAt: number | null = null;
  private hasRecovered = false;

  constructor(
    private readonly shop: ShopClient,
    private readonly screen: Screen,
    private readonly startedAt: number,
  ) {}

  /** Ends with `signal`, or with an error where the shop cannot be seen. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.look();
      await pause(POLL_MS);
    }
  }

  follow(orderId: string): void {
    this.timelines.set(orderId, new Timeline(orderId, this.startedAt));
  }

  workerDied(): void {
    this.killedAt = Date.now() - this.startedAt;
  }

  haveEnded(ids: readonly string[]): boolean {
    return ids.every((id) => this.timelines.get(id)?.isEnded);
  }

  /** How many of these orders have this step under way. */
  countRunning(ids: readonly string[], step: string): number {
    return ids.filter((id) => this.timelines.get(id)?.attempts.get(step)?.at(-1)?.end === 'running').length;
  }

  countEnded(): number {
    return count(this.summary, (outcome) => outcome === 'completed' || isFailed(outcome));
  }

  private async look(): Promise<void> {
    const open = [...this.timelines.values()].filter((timeline) => !timeline.isEnded);
    await Promise.all(open.map((timeline) => this.lookAt(timeline)));
    this.summary = await this.shop.summary();
    if (this.timelines.size > 0) this.screen.background(describe(this.summary));
  }

  private async lookAt(timeline: Timeline): Promise<void> {
    const changes = timeline.look(await this.shop.get(timeline.orderId), this.killedAt);
    const isRecovered = changes.some(({ kind }) => kind === 'lost');
    if (isRecovered && !this.hasRecovered) {
      this.hasRecovered = true;
      this.screen.say('the dead worker’s lease has run out: its steps go on elsewhere, with the same idempotency keys');
    }
    this.screen.changed(timeline, changes);
  }
}

function describe(summary: Summary): string {
  const failed = count(summary, isFailed);
  const others = Object.entries(summary).filter(([outcome]) => !isFailed(outcome));
  const parts = failed > 0 ? [...others, ['failed', failed] as const] : others;
  return `all orders: ${parts.map(([outcome, orders]) => `${orders} ${outcome}`).join(', ')}`;
}

function count(summary: Summary, isCounted: (outcome: string) => boolean): number {
  return Object.entries(summary).reduce((sum, [outcome, orders]) => sum + (isCounted(outcome) ? orders : 0), 0);
}

function isFailed(outcome: string): boolean {
  return outcome.startsWith('failed');
}

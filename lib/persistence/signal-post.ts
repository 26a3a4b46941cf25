import { setImmediate } from 'node:timers';

import type { NewSignal } from '../engine/ports.js';
import type { Connection, PreparedStatement } from './connection.js';
import { classifyFailure, unreadable } from './database-failure.js';
import { Rematch } from './race.js';

/** Signals that one statement brings at most. */
const MAX_TOGETHER = 500;

interface Letter {
  readonly signal: NewSignal;
  readonly answer: (isTaken: boolean) => void;
  readonly fail: (error: unknown) => void;
}

/**
 * Brings signals to their runs over a connection of its own. Those that gather while the last statement is on its way share the
 * next. A key among them may be held by a user's open transaction: then each is sent alone, and who waits for that lets the others
 * pass between two tries.
 */
export class SignalPost {
  private waiting: Letter[] = [];
  private isFlowing = false;

  constructor(
    private readonly connection: Connection,
    private readonly statement: PreparedStatement,
  ) {}

  /** @returns false where its run has ended, or there is none */
  add(signal: NewSignal): Promise<boolean> {
    return new Promise((answer, fail) => {
      this.waiting.push({ signal, answer, fail });
      if (this.isFlowing) return;
      this.isFlowing = true;
      // setImmediate, not a microtask: all that arrived with this turn of the event loop goes together.
      setImmediate(() => void this.drain());
    });
  }

  private async drain(): Promise<void> {
    while (this.waiting.length > 0) await this.sendTogether(this.waiting.splice(0, MAX_TOGETHER));
    this.isFlowing = false;
  }

  private async sendTogether(letters: readonly Letter[]): Promise<void> {
    try {
      const taken = await this.send(letters);
      letters.forEach(({ answer }, index) => answer(taken.has(index)));
    } catch (error) {
      const kind = classifyFailure(error);
      // Only where nothing of it was written: a signal without a key that were sent again would be two.
      const mayGoAlone = kind === 'race' || kind === 'lock-timeout' || (kind === 'data' && letters.length > 1);
      for (const letter of letters) {
        if (mayGoAlone) void this.sendAlone(letter);
        else letter.fail(unreadable(error));
      }
    }
  }

  private async sendAlone(letter: Letter): Promise<void> {
    for (const rematch = new Rematch(); ; await rematch.pause()) {
      try {
        return letter.answer((await this.send([letter])).has(0));
      } catch (error) {
        const kind = classifyFailure(error);
        if (kind !== 'race' && kind !== 'lock-timeout') return letter.fail(unreadable(error));
      }
    }
  }

  /** @returns the places of those that have been taken, now or, by their key, before */
  private async send(letters: readonly Letter[]): Promise<ReadonlySet<number>> {
    const rows = await this.connection.query<{ place: number }>(
      this.statement,
      signalParameters(letters.map(({ signal }) => signal)),
    );
    return new Set(rows.map(({ place }) => place - 1));
  }
}

/** The parameters of `ADD_SIGNALS`, column by column. */
export function signalParameters(signals: readonly NewSignal[]): unknown[] {
  return [
    signals.map(({ runId }) => runId),
    signals.map(({ name }) => name),
    signals.map(({ key }) => key),
    signals.map(({ payload }) => payload),
  ];
}

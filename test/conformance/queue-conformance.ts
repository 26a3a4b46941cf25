import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';

import type { WorkQueue } from '../../lib/engine/ports.js';
import { Bell } from '../../lib/queue/bell.js';
import type { BullBackend } from '../../lib/queue/bull-backend.js';
import { BullQueues } from '../../lib/queue/bull-queues.js';
import { StepProcessor } from '../../lib/queue/step.processor.js';
import { StepPump } from '../../lib/runtime/step-pump.js';
import { SYSTEM_CLOCK } from '../../lib/runtime/system-clock.js';
import { waitFor } from '../support/wait-for.js';

/** Milliseconds that no test may take to shut down, whatever has become of the queue. */
const SHUTDOWN_MS = 10_000;

/** A queue as one process has it. */
export interface QueueMember {
  readonly bell: WorkQueue;
  /** Lets the bells of the pump's queue wake it. @returns what stops that, as the step processor does */
  work(pump: StepPump): { stop(): Promise<void> };
  close(): Promise<void>;
}

/** What the suite asks of a queue. */
export interface QueueUnderTest {
  /** One process more. */
  join(): Promise<QueueMember>;
  /** The server goes away at once, with all that it has not written down. */
  cut(): Promise<void>;
  mend(): Promise<void>;
  close(): Promise<void>;
}

/** A process on BullMQ, whatever that runs on. */
export function memberOn(backend: BullBackend): QueueMember {
  const bull = new BullQueues(backend, () => {});
  return {
    bell: new Bell(bull, () => {}),
    work: (pump) => new StepProcessor(bull, pump),
    close: () => bull.close(),
  };
}

/** Ready rows of one queue, which the pumps of all processes claim: the truth, of which bells only tell. */
class Rows {
  readonly taken: number[] = [];
  private ready: number[] = [];

  add(...priorities: number[]): void {
    this.ready = [...this.ready, ...priorities].sort((a, b) => a - b);
  }

  claim(limit: number): number {
    const claimed = this.ready.splice(0, limit);
    this.taken.push(...claimed);
    return claimed.length;
  }
}

/** What every queue can do. */
export function describeQueue(name: string, open: () => Promise<QueueUnderTest>): void {
  describe(`${name} as the queue`, () => {
    let queue: QueueUnderTest;
    let members: QueueMember[] = [];
    let stops: (() => Promise<void>)[] = [];
    let number = 0;

    beforeAll(async () => {
      queue = await open();
    }, 60_000);

    afterEach(async () => {
      await Promise.all(stops.map((stop) => stop()));
      await Promise.all(members.map((member) => member.close()));
      [members, stops] = [[], []];
    });

    afterAll(() => queue?.close());

    async function join(): Promise<QueueMember> {
      const member = await queue.join();
      members.push(member);
      return member;
    }

    /** A process that takes rows of a queue; `hold` keeps their slots until the test frees them. */
    async function work(rows: Rows, { on = `q${number}`, concurrency = 10, hold = false } = {}) {
      const member = await join();
      const pump: StepPump = new StepPump({
        queue: on,
        concurrency,
        claim: async (limit) => {
          const count = rows.claim(limit);
          if (!hold) SYSTEM_CLOCK.soon(() => pump.slots.release(count));
          return count;
        },
        passOn: () => member.bell.ring(on),
        onError: () => {},
        clock: SYSTEM_CLOCK,
      });
      const processor = member.work(pump);
      const stop = async () => {
        pump.stop();
        await processor.stop();
      };
      stops.push(stop);
      return { pump, stop, member };
    }

    const next = () => `q${(number += 1)}`;
    const untilTaken = (rows: Rows, count: number) =>
      waitFor(`${count} rows are taken`, () => rows.taken.length === count);

    it('a bell wakes a worker of another process', async () => {
      const [on, rows] = [next(), new Rows()];
      await work(rows);
      rows.add(1, 2, 3);
      (await join()).bell.ring(on);
      await untilTaken(rows, 3);
    });

    it('a bell that was rung before there was a worker wakes it when it comes', async () => {
      const [on, rows] = [next(), new Rows()];
      rows.add(1);
      (await join()).bell.ring(on);
      await work(rows);
      await untilTaken(rows, 1);
    });

    it('doubled bells do no harm', async () => {
      const [on, rows] = [next(), new Rows()];
      const ringers = [await join(), await join(), await join()];
      await work(rows);
      await work(rows);
      rows.add(1, 2, 3, 4);
      for (let n = 0; n < 20; n++) for (const { bell } of ringers) bell.ring(on);
      await untilTaken(rows, 4);
      rows.add(5);
      ringers[0]!.bell.ring(on);
      await untilTaken(rows, 5);
    });

    it('a bell for another queue, or for one that nobody works at, wakes nobody here', async () => {
      const [on, other, rows, others] = [next(), next(), new Rows(), new Rows()];
      const { pump } = await work(rows, { on });
      await work(others, { on: other });
      rows.add(1);
      others.add(1);
      const { bell } = await join();
      bell.ring('nobody works at this');
      bell.ring(other);
      await untilTaken(others, 1);
      expect(pump.isAwake).toBe(false);
      expect(rows.taken).toEqual([]);
    });

    it('priority is that of the rows, whichever bell came first', async () => {
      const [on, rows] = [next(), new Rows()];
      const { bell } = await join();
      rows.add(9);
      bell.ring(on);
      rows.add(1, 5);
      bell.ring(on);
      await work(rows, { concurrency: 1 });
      await untilTaken(rows, 3);
      expect(rows.taken).toEqual([1, 5, 9]);
    });

    it('a lost bell costs only the time until the next beat, and a late one finds nothing', async () => {
      const [on, rows] = [next(), new Rows()];
      const { pump } = await work(rows);
      rows.add(1);
      // What a beat does that has found the row.
      await pump.wake();
      expect(rows.taken).toEqual([1]);
      (await join()).bell.ring(on);
      await waitFor('the late bell has woken it', () => pump.isAwake);
      await pump.ended();
      expect(rows.taken).toEqual([1]);
    });

    it('what a full process leaves another is woken for', async () => {
      const [on, rows] = [next(), new Rows()];
      const full = await work(rows, { concurrency: 1, hold: true });
      rows.add(1);
      (await join()).bell.ring(on);
      await untilTaken(rows, 1);
      await work(rows, { concurrency: 1 });
      rows.add(2, 3);
      for (let n = 0; n < 3; n++) members[0]!.bell.ring(on);
      await untilTaken(rows, 3);
      full.pump.slots.release(1);
    });

    it('goes away and comes back: bells are missed, never thrown, and heard again', async () => {
      const [on, rows] = [next(), new Rows()];
      const { pump } = await work(rows);
      const { bell } = await join();
      rows.add(1);
      bell.ring(on);
      await untilTaken(rows, 1);
      await pump.ended();
      await queue.cut();
      rows.add(2);
      bell.ring(on);
      await pump.wake();
      expect(rows.taken).toEqual([1, 2]);
      await queue.mend();
      rows.add(3);
      await waitFor('a bell is heard again', () => {
        bell.ring(on);
        return rows.taken.length === 3;
      });
    }, 40_000);

    it('a worker that has stopped takes no bell, and another does', async () => {
      const [on, rows] = [next(), new Rows()];
      const leaving = await work(rows);
      rows.add(1);
      leaving.member.bell.ring(on);
      await untilTaken(rows, 1);
      await leaving.stop();
      rows.add(2);
      leaving.member.bell.ring(on);
      expect(rows.taken).toEqual([1]);
      await work(rows);
      await untilTaken(rows, 2);
    });

    it('that is away keeps nobody from stopping', async () => {
      const [on, rows] = [next(), new Rows()];
      const { stop, member } = await work(rows);
      rows.add(1);
      member.bell.ring(on);
      await untilTaken(rows, 1);
      await queue.cut();
      member.bell.ring(on);
      const begun = performance.now();
      await stop();
      await member.close();
      expect(performance.now() - begun).toBeLessThan(SHUTDOWN_MS);
      await queue.mend();
    }, 40_000);
  });
}

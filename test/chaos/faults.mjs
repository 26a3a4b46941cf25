import { setTimeout as sleep } from 'node:timers/promises';

import { nowMs } from './ledger.mjs';
import { until } from './rig.mjs';
import { seeded } from './seeded.mjs';

/** Milliseconds between two faults. */
const GAP_MS = { least: 200, most: 2_000 };

/** Milliseconds in which a process must come between two statements, if it is to be stopped there. */
const INSIDE_WITHIN_MS = 1_000;

/**
 * Does things to worker processes, one every 0.2 to 2 s: SIGKILL (60 %), SIGSTOP for one to three leases (30 %, half of them
 * between two statements of a commit), SIGTERM (10 %). Whoever ends is started again. The order follows from the seed; what
 * the faults meet does not.
 */
export class Faults {
  /** What was done, to whom and when; of a stop also until when. */
  done = [];
  #rig;
  #crew;
  #leaseMs;
  #random;
  #stopped = new Set();
  #underWay = new Set();
  #failure = null;

  constructor(rig, crew, { seed, leaseMs }) {
    this.#rig = rig;
    this.#crew = [...crew];
    this.#leaseMs = leaseMs;
    this.#random = seeded(seed);
  }

  /** The processes that run at this moment. */
  get crew() {
    return this.#crew.filter((member) => member !== null);
  }

  strikeFor(seconds) {
    const end = nowMs() + seconds * 1_000;
    return this.strikeWhile(() => nowMs() < end);
  }

  async strikeWhile(goesOn) {
    while (goesOn()) {
      await sleep(GAP_MS.least + this.#random() * (GAP_MS.most - GAP_MS.least));
      this.#strike();
    }
  }

  /** Resolves when everybody runs again. */
  async settled() {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
    if (this.#failure) throw this.#failure;
  }

  #strike() {
    const place = Math.floor(this.#random() * this.#crew.length);
    const [lot, lengthLot, insideLot] = [this.#random(), this.#random(), this.#random()];
    const member = this.#crew[place];
    // A process that is being started again, or is stopped, is spared: its lots are drawn all the same.
    if (!member || this.#stopped.has(member)) return;
    // Half of them always run or are being started: where everybody is stopped there is nobody to recover anything.
    const isStop = lot >= 0.6 && lot < 0.9 && this.#stopped.size < this.#crew.length / 2;
    if (isStop) this.#background(this.#stop(member, this.#leaseMs * (1 + 2 * lengthLot), insideLot < 0.5));
    else this.#background(this.#end(place, lot < 0.9 ? 'SIGKILL' : 'SIGTERM'));
  }

  async #stop(member, forMs, isInside) {
    this.#stopped.add(member);
    // It stops itself when it comes to such a place, and else is stopped where it is.
    const kind = isInside && (await this.#stopsItself(member)) ? 'SIGSTOP inside' : 'SIGSTOP';
    member.child.kill('SIGSTOP');
    const fault = { kind, pid: member.pid, at: nowMs() };
    this.done.push(fault);
    await sleep(forMs);
    member.child.kill('SIGCONT');
    fault.until = nowMs();
    this.#stopped.delete(member);
  }

  async #stopsItself(member) {
    let isStopping = false;
    const listen = (message) => (isStopping ||= message.type === 'stops-inside');
    member.child.on('message', listen);
    // Only by then: whoever stopped itself later would stand for ever, because nobody would let it go on.
    member.child.send({ type: 'stop-inside', by: Date.now() + INSIDE_WITHIN_MS });
    await until(() => isStopping, INSIDE_WITHIN_MS).catch(() => {});
    member.child.off('message', listen);
    return isStopping;
  }

  async #end(place, kind) {
    const member = this.#crew[place];
    this.#crew[place] = null;
    this.done.push({ kind, pid: member.pid, at: nowMs() });
    if (kind === 'SIGKILL') this.#rig.kill(member);
    else await this.#rig.terminate(member);
    this.#crew[place] = await this.#rig.startProcess('worker');
  }

  #background(deed) {
    const tracked = deed.catch((error) => (this.#failure ??= error)).finally(() => this.#underWay.delete(tracked));
    this.#underWay.add(tracked);
  }
}

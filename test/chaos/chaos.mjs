import { setTimeout as sleep } from 'node:timers/promises';

import { audit, recoveries } from './audit.mjs';
import { nowMs } from './ledger.mjs';
import { openRig } from './rig.mjs';

/**
 * Worker processes under faults, one every 0.2 to 2 s: SIGKILL (60 %), SIGSTOP for one to three leases (30 %), SIGTERM
 * (10 %). Whoever ends is started again. The order of the faults follows from the seed; what they meet does not.
 */
export async function runChaos({ seed, seconds, leaseMs, workers = 4, everyMs = 25 }) {
  const random = mulberry32(seed);
  const rig = await openRig({ lease: leaseMs });
  const faults = [];
  const pending = new Set();
  try {
    const poster = await rig.startProcess('poster');
    const crew = await Promise.all(Array.from({ length: workers }, () => rig.startProcess('worker')));
    const stopped = new Set();
    poster.child.send({ type: 'post', everyMs, mix: ['sequence', 'sequence', 'flaky', 'fan', 'sequence'] });

    const end = nowMs() + seconds * 1_000;
    while (nowMs() < end) {
      await sleep(200 + random() * 1_800);
      const place = Math.floor(random() * workers);
      const [lot, stopLot] = [random(), random()];
      const member = crew[place];
      // A process that is being started again, or is stopped, is spared: its lot is drawn all the same.
      if (!member || stopped.has(member)) continue;
      // Half of them always run or are being started: where everybody is stopped there is nobody to recover anything.
      const isStop = lot >= 0.6 && lot < 0.9 && stopped.size < workers / 2;
      const kind = isStop ? 'SIGSTOP' : lot < 0.9 ? 'SIGKILL' : 'SIGTERM';
      faults.push({ kind, pid: member.pid, at: nowMs() });
      if (kind === 'SIGSTOP') {
        stopped.add(member);
        member.child.kill('SIGSTOP');
        background(
          sleep(leaseMs * (1 + 2 * stopLot)).then(() => (stopped.delete(member), member.child.kill('SIGCONT'))),
        );
      } else {
        crew[place] = null;
        if (kind === 'SIGKILL') rig.kill(member);
        background(
          (kind === 'SIGTERM' ? rig.terminate(member) : Promise.resolve()).then(
            async () => (crew[place] = await rig.startProcess('worker')),
          ),
        );
      }
    }
    const chaosEnded = nowMs();
    const { runs: posted } = await rig.ask(poster, { type: 'stop-posting' }, 'posted');
    while (pending.size > 0) await Promise.all(pending);
    const left = await rig.untilEnded(6 * leaseMs + 60_000);
    const tailMs = Math.round(nowMs() - chaosEnded);
    await sleep(1_500);
    const slots = await Promise.all(crew.map((member) => rig.ask(member, { type: 'slots' }, 'slots')));
    const result = await audit(rig, posted);
    const [{ deadlocks }] = await rig.query(
      'SELECT deadlocks::int FROM pg_stat_database WHERE datname = current_database()',
    );
    const unhandled = rig.reports.filter(({ type }) => type === 'unhandled' || type === 'exit');
    const internal = rig.reports.filter(({ event }) => event?.type === 'internal.error');
    const figures = {
      seed,
      seconds,
      leaseMs,
      faults: faults.length,
      ...result.figures,
      left,
      tailMs,
      leakedSlots: slots.flatMap(({ slots: { used } }) => used).reduce((sum, used) => sum + Math.abs(used), 0),
      openRuns: slots.reduce((sum, { slots: { openRuns } }) => sum + openRuns, 0),
      unhandled: unhandled.length,
      internalErrors: internal.length,
      deadlocks,
      replaced: rig.reports.filter(({ event }) => event?.type === 'worker.replaced').length,
      ...recoveries(result.ledger, faults),
    };
    return { figures, complaints: [...result.complaints, ...unhandled, ...internal] };
  } finally {
    await rig.close();
  }

  function background(promise) {
    const tracked = promise.catch(() => {}).finally(() => pending.delete(tracked));
    pending.add(tracked);
  }
}

function mulberry32(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** What the environment asks for: `CHAOS_SEED`, `CHAOS_SECONDS`, `CHAOS_LEASE_MS`. */
export function settingsFrom(environment) {
  const number = (name, otherwise) => (environment[name] ? Number(environment[name]) : otherwise);
  return {
    seed: number('CHAOS_SEED', Math.floor(Math.random() * 1e9)),
    seconds: number('CHAOS_SECONDS', 40),
    leaseMs: number('CHAOS_LEASE_MS', 2_000),
  };
}

// Also a program of its own, for longer runs: CHAOS_SECONDS=600 CHAOS_LEASE_MS=10000 node test/chaos/chaos.mjs
if (process.argv[1]?.endsWith('chaos.mjs')) {
  const { figures, complaints } = await runChaos(settingsFrom(process.env));
  for (const complaint of complaints.slice(0, 20))
    process.stdout.write(`${JSON.stringify(complaint).slice(0, 1_500)}\n`);
  process.stdout.write(`${JSON.stringify(figures)}\n`);
}

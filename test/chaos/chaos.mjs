import { setTimeout as sleep } from 'node:timers/promises';

import { audit, findRecoveries } from './audit.mjs';
import { Faults } from './faults.mjs';
import { nowMs } from './ledger.mjs';
import { openRig } from './rig.mjs';

/** Milliseconds for which the lease is kept after which recovery is promised within `PROMISED_MS`. */
const DEFAULT_LEASE_MS = 10_000;
const PROMISED_MS = 15_000;

/**
 * Worker processes under faults (see `Faults`) while another process starts runs. Answers with the figures, and with
 * everything that may be said against them: there should be nothing.
 */
export async function runChaos({ seed, seconds, leaseMs, workers = 4, everyMs = 25 }) {
  const rig = await openRig({ lease: leaseMs });
  try {
    const poster = await rig.startProcess('poster');
    const crew = await Promise.all(Array.from({ length: workers }, () => rig.startProcess('worker')));
    const faults = new Faults(rig, crew, { seed, leaseMs });
    poster.child.send({ type: 'post', everyMs, mix: ['sequence', 'sequence', 'flaky', 'fan', 'sequence'] });
    await faults.strikeFor(seconds);
    const struckUntil = nowMs();
    const { runs: posted } = await rig.ask(poster, { type: 'stop-posting' }, 'posted');
    await faults.settled();
    const left = await rig.untilEnded(6 * leaseMs + 60_000);
    const tailMs = Math.round(nowMs() - struckUntil);
    const slots = await settledSlots(rig, faults.crew);
    const { complaints, ledger, figures } = await audit(rig, posted, leaseMs < DEFAULT_LEASE_MS ? null : faults.done);
    const told = complaintsOf(rig.reports);
    const recovery = findRecoveries(ledger, faults.done);
    const all = {
      ...{ seed, seconds, leaseMs, workers, faults: faults.done.length, ...countKinds(faults.done) },
      ...figures,
      ...{ left, tailMs, ...slots, unhandled: told.unhandled.length, internalErrors: told.internal.length },
      deadlocks: await countDeadlocks(rig),
      replaced: rig.reports.filter(({ event }) => event?.type === 'worker.replaced').length,
      ...recovery,
    };
    const late =
      leaseMs === DEFAULT_LEASE_MS && recovery.recoveryP99Ms > PROMISED_MS ? [{ kind: 'late', detail: recovery }] : [];
    return { figures: all, complaints: [...complaints, ...told.unhandled, ...told.internal, ...late] };
  } finally {
    await rig.close();
  }
}

/** Slots in use and runs open in the processes, once nothing moves any more: a step given up on may take a moment. */
async function settledSlots(rig, crew) {
  const deadline = nowMs() + 10_000;
  for (;;) {
    const answers = await Promise.all(crew.map((member) => rig.ask(member, { type: 'slots' }, 'slots')));
    const used = answers.flatMap(({ slots }) => slots.used);
    const leakedSlots = used.reduce((sum, count) => sum + Math.abs(count), 0);
    const openRuns = answers.reduce((sum, { slots }) => sum + slots.openRuns, 0);
    if (leakedSlots + openRuns === 0 || nowMs() > deadline) return { leakedSlots, openRuns };
    await sleep(100);
  }
}

function complaintsOf(reports) {
  return {
    unhandled: reports.filter(({ type }) => type === 'unhandled' || type === 'exit'),
    internal: reports.filter(({ event }) => event?.type === 'internal.error'),
  };
}

function countKinds(faults) {
  const count = (wanted) => faults.filter(({ kind }) => kind === wanted).length;
  return {
    kills: count('SIGKILL'),
    stops: count('SIGSTOP'),
    stopsInside: count('SIGSTOP inside'),
    terms: count('SIGTERM'),
  };
}

async function countDeadlocks(rig) {
  const [{ deadlocks }] = await rig.query(
    'SELECT deadlocks::int FROM pg_stat_database WHERE datname = current_database()',
  );
  return deadlocks;
}

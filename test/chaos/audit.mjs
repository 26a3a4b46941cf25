/** Everything that may be said against a chaos run, from the database and the ledger. All counts should be zero. */
export async function audit(rig, posted, faults = null) {
  const runs = await rig.query(`
    SELECT r.id, r.workflow, r.status, r.failed_step, r.failure, r.state, r.worker FROM orchestrate_flow.workflow_run r`);
  const rows = await rig.query(
    'SELECT run_id, name, status, attempt, failures, crashes, result FROM orchestrate_flow.workflow_step',
  );
  const orphans = await rig.query('SELECT id FROM orchestrate_flow.orphans');
  const ledger = rig.ledger();

  const complaints = [];
  const complain = (kind, detail) => complaints.push({ kind, detail });
  const known = new Map(runs.map((run) => [run.id, run]));
  const acknowledged = posted.filter(({ id }) => id !== null);
  const lost = acknowledged.filter(({ id }) => !known.has(id));
  for (const run of lost) complain('lost', run);
  for (const { error } of posted.filter(({ id }) => id === null)) complain('refused', error);

  const rowsOf = groupBy(rows, ({ run_id }) => run_id);
  const eventsOf = groupBy(ledger, ({ runId }) => runId);
  let [stuck, failed, secondOutcomes, earlySteps, repeatedEffects, doubledEffects, crashes, failures] =
    Array(8).fill(0);
  // Where no faults are told, or leases are so short that a busy machine outlives them, nothing is known of who may repeat.
  const mayRepeat = faults ? whoMayRepeat(rig, faults) : () => true;
  for (const run of runs) {
    if (run.status !== 'completed') {
      if (run.status === 'failed' || run.status === 'cancelled') failed++;
      else stuck++;
      complain(run.status, {
        ...run,
        rows: rowsOf.get(run.id)?.map(({ name, status, attempt }) => `${name} ${status} ${attempt}`),
      });
      continue;
    }
    const before = rig.dependencies[run.workflow];
    const own = new Map((rowsOf.get(run.id) ?? []).map((row) => [row.name, row]));
    const events = eventsOf.get(run.id) ?? [];
    const steps = Object.keys(before);
    for (const row of own.values()) {
      crashes += row.crashes;
      failures += row.failures;
    }
    // One completed row for each step, and what it holds is what its own attempt returned.
    for (const step of steps) {
      const row = own.get(step);
      if (row?.status !== 'completed') {
        secondOutcomes++;
        complain('not recorded', { run: run.id, step, row });
      } else if (!row.result.includes(`${step}#${row.attempt}"`)) {
        secondOutcomes++;
        complain('recorded under a foreign token', { run: run.id, step, row });
      }
    }
    // What each step was given is what was recorded.
    for (const step of steps) {
      const missing = before[step].filter(
        (other) => !own.get(step)?.result?.includes(`"${other}#${own.get(other)?.attempt}"`),
      );
      if (missing.length === 0) continue;
      secondOutcomes++;
      complain('went on from an outcome that was not recorded', { run: run.id, step, missing });
    }
    // An attempt's token is given once.
    const begun = new Set();
    for (const { event, step, attempt } of events) {
      if (event !== 'begin') continue;
      if (begun.has(`${step}#${attempt}`)) {
        secondOutcomes++;
        complain('two attempts with one token', { run: run.id, step, attempt });
      }
      begun.add(`${step}#${attempt}`);
    }
    // No attempt before the recorded ends of all that it waits for.
    const endedAt = new Map();
    for (const { event, step, attempt, at } of events) {
      if (event === 'end' && own.get(step)?.attempt === attempt) endedAt.set(step, at);
    }
    for (const { event, step, attempt, at } of events) {
      if (event !== 'begin') continue;
      for (const other of before[step]) {
        if (at > (endedAt.get(other) ?? Infinity)) continue;
        earlySteps++;
        complain('early', { run: run.id, step, attempt, other });
      }
    }
    // An effect comes again only where something happened to the process that had it.
    for (const [step, list] of groupBy(effects(events), ({ step }) => step)) {
      for (const [index, again] of list.entries()) {
        if (index === 0) continue;
        repeatedEffects++;
        if (mayRepeat(list[index - 1], again)) continue;
        doubledEffects++;
        const before = list[index - 1];
        const met = faults?.filter(({ pid }) => pid === before.pid);
        complain('doubled', { run: run.id, step, before, again, met });
      }
    }
  }
  if (orphans.length > 0)
    complain(
      'orphans',
      orphans.map(({ id }) => id),
    );
  return {
    complaints,
    ledger,
    figures: {
      runs: runs.length,
      acknowledged: acknowledged.length,
      completed: runs.filter(({ status }) => status === 'completed').length,
      lost: lost.length,
      refused: posted.length - acknowledged.length,
      stuck,
      failed,
      secondOutcomes,
      earlySteps,
      orphans: orphans.length,
      repeatedEffects,
      doubledEffects: faults ? doubledEffects : null,
      crashes,
      failures,
    },
  };
}

/** What attempts did to the world: when each began and ended, in the order of the attempts. */
function effects(events) {
  const beganAt = new Map();
  const found = [];
  for (const { event, step, attempt, at, pid } of events) {
    if (event === 'begin') beganAt.set(`${step}#${attempt}`, at);
    if (event === 'end') found.push({ step, attempt, pid, beganAt: beganAt.get(`${step}#${attempt}`), endedAt: at });
  }
  return found.sort((one, other) => one.attempt - other.attempt);
}

/** Whether a fault, or its own death by report, met the process of an effect before its step was begun again. */
function whoMayRepeat(rig, faults) {
  const replaced = new Set(rig.reports.filter(({ event }) => event?.type === 'worker.replaced').map(({ pid }) => pid));
  return (first, again) =>
    replaced.has(first.pid) ||
    faults.some(({ pid, at, until = at }) => pid === first.pid && until >= first.beganAt && at <= again.beganAt);
}

/** How long what a fault interrupted waited for its next attempt, or until a process that was only stopped ended it itself. */
export function findRecoveries(ledger, faults) {
  const byStep = groupBy(ledger, ({ runId, step }) => `${runId}/${step}`);
  const times = [];
  for (const { pid, at, kind } of faults) {
    if (kind === 'SIGTERM') continue;
    for (const events of byStep.values()) {
      const began = events.findLast(({ event, pid: by, at: when }) => event === 'begin' && by === pid && when < at);
      if (!began) continue;
      const ended = events.find(
        ({ event, attempt, pid: by, at: when }) =>
          event !== 'begin' && by === pid && attempt === began.attempt && when < at,
      );
      if (ended) continue;
      const isNext = ({ event, attempt, pid: by }) => event === 'begin' || (by === pid && attempt === began.attempt);
      const next = events.find((one) => one.at > at && isNext(one));
      if (next) times.push(next.at - at);
    }
  }
  times.sort((a, b) => a - b);
  const quantile = (q) =>
    times.length === 0 ? null : Math.round(times[Math.min(times.length - 1, Math.floor(q * times.length))]);
  return {
    interrupted: times.length,
    recoveryP50Ms: quantile(0.5),
    recoveryP99Ms: quantile(0.99),
    recoveryMaxMs: quantile(1),
  };
}

function groupBy(items, keyOf) {
  const groups = new Map();
  for (const item of items) {
    const key = keyOf(item);
    if (groups.has(key)) groups.get(key).push(item);
    else groups.set(key, [item]);
  }
  return groups;
}

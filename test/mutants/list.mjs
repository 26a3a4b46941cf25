const COMMIT = 'lib/persistence/commit-statement.ts';
const STORE = 'lib/persistence/store-statements.ts';
const LANE = 'lib/persistence/lane.ts';
const DOOR_SPEC = 'test/integration/door.spec.ts';
const LOST_SPEC = 'test/integration/lost-answers.spec.ts';
const STORE_SPEC = 'test/integration/run-store.spec.ts';
const PROPERTIES = 'lib/engine/decide.properties.spec.ts';
const PUMP_SPEC = 'lib/runtime/step-pump.spec.ts';
const DESK_SPEC = 'lib/runtime/run-desk.spec.ts';
const BEAT_SPEC = 'lib/runtime/beat.spec.ts';
const STORE_CONFORMANCE = 'test/conformance/store-conformance.spec.ts';
const SIGNALS_SPEC = 'lib/engine/signals.spec.ts';
const COMPENSATION_SPEC = 'lib/engine/compensation.spec.ts';
const TURNS_SPEC = 'lib/engine/turns.spec.ts';
const FAN_OUT_SPEC = 'lib/engine/fan-out.spec.ts';
const KEEPER_SPEC = 'test/integration/lease-keeper.spec.ts';
const FITTING = 'lib/definition/fitting-code.ts';
const FITTING_SPEC = 'lib/definition/fitting-code.spec.ts';
const KEEPER = 'lib/persistence/lease-thread.cjs';

/**
 * A switch per safeguard: the text that is taken away, once, from a file, and the test that must then fail.
 *
 * @type {readonly { name: string, safeguard: string, file: string, from: string, to: string, caughtBy: { file: string, test: string } }[]}
 */
export const MUTANTS = [
  {
    name: 'revision',
    safeguard: 'a commit changes only runs that still are at the revision it was decided from',
    file: COMMIT,
    from: 'r.id = b.id AND r.revision = b.revision',
    to: 'r.id = b.id',
    caughtBy: { file: DOOR_SPEC, test: 'a commit at an old revision is stale and writes nothing' },
  },
  {
    name: 'token',
    safeguard: 'only the outcome of the attempt that runs is taken',
    file: COMMIT,
    from: 's.attempt = b.guard_attempt AND ',
    to: '',
    caughtBy: {
      file: DOOR_SPEC,
      test: 'the guard of a step keeps the outcome of another attempt out, with everything that came with it',
    },
  },
  {
    name: 'running',
    safeguard: 'a step that was claimed meanwhile is not stopped as if it waited',
    file: COMMIT,
    from: "(s.status = 'running') = b.guard_running",
    to: 'true',
    caughtBy: {
      file: DOOR_SPEC,
      test: 'the guard of a step keeps the outcome of a step that has been claimed meanwhile out, with everything that came with it',
    },
  },
  {
    name: 'all-or-none',
    safeguard: 'a run that misses the row of one step is not written at all',
    file: COMMIT,
    from: 'WHERE b.guard_attempt IS NOT NULL AND (b.run_id, b.name, b.item) NOT IN',
    to: 'WHERE false AND (b.run_id, b.name, b.item) NOT IN',
    caughtBy: { file: DOOR_SPEC, test: 'the guard of a step skips a row that somebody holds' },
  },
  {
    name: 'committed-state',
    safeguard: 'one commit of a run is under way in a process',
    file: 'lib/runtime/run-desk.ts',
    from: '    if (run.isCommitting) return;\n',
    to: '',
    caughtBy: {
      file: DESK_SPEC,
      test: 'RunDesk decides from committed state only: one commit of a run is under way, and what comes meanwhile waits',
    },
  },
  {
    name: 'late-result',
    safeguard: 'no step goes on from an outcome that was refused',
    file: 'lib/runtime/run-desk.ts',
    from: ' && !decision.stale.includes(fact.claim)',
    to: '',
    caughtBy: {
      file: DESK_SPEC,
      test: 'RunDesk goes on from the recorded outcome, not from one of its own that came too late',
    },
  },
  {
    name: 'dead-id',
    safeguard: 'nothing begins under an id that was declared dead',
    file: 'lib/runtime/run-desk.ts',
    from: 'this.isLeaving || worker !== this.ports.self.id',
    to: 'this.isLeaving',
    caughtBy: {
      file: DESK_SPEC,
      test: 'RunDesk begins nothing that was claimed before and answered after its worker was declared dead',
    },
  },
  {
    name: 'slots-given-back',
    safeguard: 'the slot of an ended attempt is free again',
    file: 'lib/runtime/run-desk.ts',
    from: 'this.ports.slots.giveBack(own, used);',
    to: '',
    caughtBy: {
      file: DESK_SPEC,
      test: 'RunDesk decides from committed state only: one commit of a run is under way, and what comes meanwhile waits',
    },
  },
  {
    name: 'lock-order',
    safeguard: 'runs are locked in the order of their ids',
    file: COMMIT,
    from: '[...unordered].sort((one, other) => (one.id < other.id ? -1 : 1))',
    to: '[...unordered]',
    caughtBy: {
      file: 'lib/persistence/commit-statement.spec.ts',
      test: 'the parameters of a commit name the runs in the order of their ids, whatever order they come in',
    },
  },
  {
    name: 'skip-locked',
    safeguard: 'a commit waits for nobody who holds one of its runs',
    file: COMMIT,
    from: 'FOR NO KEY UPDATE SKIP LOCKED',
    to: 'FOR NO KEY UPDATE',
    caughtBy: { file: DOOR_SPEC, test: 'a row that somebody holds makes its run stale and holds up nobody else' },
  },
  {
    name: 'second-lane',
    safeguard: 'large items go by a lane where they hold up nobody',
    file: 'lib/persistence/batcher.ts',
    from: 'if (this.large && isLarge(writes))',
    to: 'if (this.large && isLarge(writes) && writes.length > 1_000)',
    caughtBy: {
      file: DOOR_SPEC,
      test: 'a large item delays none that shares its moment, and is written all the same',
    },
  },
  {
    name: 'named-lane',
    safeguard: 'starts under names go by a lane where they hold up nobody',
    file: 'lib/persistence/committer.ts',
    from: 'return named ? this.second : this.shared;',
    to: 'return this.shared;',
    caughtBy: { file: DOOR_SPEC, test: 'a start under a name goes by a lane where it holds up no start without one' },
  },
  {
    name: 'held-names',
    safeguard: 'starts under held names take turns off the lane',
    file: 'lib/persistence/committer.ts',
    from: 'this.patiently(() => this.afterHeld(send))',
    to: 'this.patiently(() => this.afterSide(send))',
    caughtBy: {
      file: DOOR_SPEC,
      test: 'a start does not make a commit alone wait for all the others that are held',
    },
  },
  {
    name: 'kept-answer',
    safeguard: 'a commit whose answer was lost is answered from what its lane kept',
    file: LANE,
    from: 'return cameIn ? parseAnswer(row.answer) : null;',
    to: 'return null;',
    caughtBy: {
      file: LOST_SPEC,
      test: 'a commit whose answer is lost is neither taken for the answer of the next commit nor for one that was not made',
    },
  },
  {
    name: 'commit-unknown',
    safeguard: 'what became of a lost commit is asked under the lock of its lane',
    file: LANE,
    from: '`UPDATE orchestrate_flow.workflow_lane SET epoch = epoch + 1 WHERE id = $1 RETURNING epoch, commit_no, answer`',
    to: '`SELECT epoch, commit_no, answer FROM orchestrate_flow.workflow_lane WHERE id = $1`',
    caughtBy: {
      file: LOST_SPEC,
      test: 'a commit whose answer is lost is neither taken for the answer of the next commit nor for one that was not made',
    },
  },
  {
    name: 'epoch',
    safeguard: 'the epoch of a lane is raised before anything is sent again',
    file: LANE,
    from: 'SET epoch = epoch + 1',
    to: 'SET epoch = epoch',
    caughtBy: {
      file: LOST_SPEC,
      test: 'a commit whose answer is lost is neither taken for the answer of the next commit nor for one that was not made',
    },
  },
  {
    name: 'old-epoch',
    safeguard: 'a batch of an epoch that was given up writes nothing',
    file: COMMIT,
    from: ' AND epoch = $2 AND commit_no = $3',
    to: ' AND $2::int IS NOT NULL AND commit_no = $3',
    caughtBy: {
      file: LOST_SPEC,
      test: 'a commit whose answer is lost is neither taken for the answer of the next commit nor for one that was not made',
    },
  },
  {
    name: 'commit-number',
    safeguard: 'a batch that comes twice is written once',
    file: COMMIT,
    from: ' AND epoch = $2 AND commit_no = $3',
    to: ' AND epoch = $2 AND $3::bigint IS NOT NULL',
    caughtBy: {
      file: LOST_SPEC,
      test: 'a commit whose answer is lost is neither taken for the answer of the next commit nor for one that was not made',
    },
  },
  {
    name: 'culprit',
    safeguard: 'a value that the database refuses fails alone',
    file: 'lib/persistence/batcher.ts',
    from: 'if (items.length === 1) return refuse(items[0]!, outcome.error);',
    to: 'for (const item of items) refuse(item, outcome.error);\n        if (items.length > 0) return;',
    caughtBy: { file: DOOR_SPEC, test: 'a value that the database refuses fails alone' },
  },
  {
    name: 'claims-skip-locked',
    safeguard: 'a claim waits for nobody who holds a step',
    file: STORE,
    from: '  ORDER BY priority, created_at LIMIT $3\n  FOR UPDATE SKIP LOCKED',
    to: '  ORDER BY priority, created_at LIMIT $3\n  FOR UPDATE',
    caughtBy: { file: STORE_SPEC, test: 'a claim passes by a row that somebody holds' },
  },
  {
    name: 'suspects-apart',
    safeguard: 'ordinary claims pass suspects by',
    file: STORE,
    from: "claimSteps(`NOT ${IS_SUSPECT}`, 'false')",
    to: "claimSteps('true', 'false')",
    caughtBy: { file: STORE_SPEC, test: 'a claim raises the attempt, takes what it says and no suspect' },
  },
  {
    name: 'bells-by-the-beat',
    safeguard: 'ready rows are found by the beat, bell or no bell',
    file: 'lib/runtime/beat.ts',
    from: '[...news.wokenQueues, ...news.readyQueues]',
    to: '[...news.wokenQueues]',
    caughtBy: { file: BEAT_SPEC, test: 'a beat takes what is ready without a bell, and rings for nobody else' },
  },
  {
    name: 'ready-queues',
    safeguard: 'the beat tells of queues with ready rows',
    file: 'lib/persistence/sql-run-store.ts',
    from: 'readyQueues: look!.ready_queues,',
    to: 'readyQueues: [],',
    caughtBy: {
      file: STORE_SPEC,
      test: 'a beat tells of queues with ready rows, bell or no bell, and of suspects apart',
    },
  },
  {
    name: 'dead-for-good',
    safeguard: 'a renewal of a dead worker renews nothing',
    file: STORE,
    from: "WHERE id = $1 AND status = 'alive' RETURNING id",
    to: 'WHERE id = $1 RETURNING id',
    caughtBy: { file: STORE_SPEC, test: 'a beat renews nothing of a worker that was declared dead' },
  },
  {
    name: 'reapers-order',
    safeguard: 'a worker is declared dead before anything of its is freed',
    file: STORE,
    from: "worker NOT IN (SELECT id FROM orchestrate_flow.workflow_worker WHERE status = 'alive')\n  UNION ALL",
    to: 'worker NOT IN (SELECT id FROM orchestrate_flow.workflow_worker WHERE lease_until > statement_timestamp())\n  UNION ALL',
    caughtBy: {
      file: STORE_SPEC,
      test: 'a beat frees what the dead held, whoever buried them, and nothing of a worker that nobody has buried',
    },
  },
  {
    name: 'outage',
    safeguard: 'a process that was cut off reaps nobody before everyone could renew',
    file: 'lib/runtime/beat.ts',
    from: 'begunAt - this.renewedAt > leaseMs / 2',
    to: 'begunAt - this.renewedAt > leaseMs * 1_000',
    caughtBy: {
      file: BEAT_SPEC,
      test: 'a beat does not reap before it has renewed for a third of a lease, and after an outage for a whole one',
    },
  },
  {
    name: 'witness',
    safeguard: 'a process that has just begun reaps only who was silent while another was heard',
    file: STORE,
    from: 'AND ($3::boolean OR EXISTS (',
    to: 'AND ($3::boolean OR NOT $3::boolean OR EXISTS (',
    caughtBy: {
      file: STORE_CONFORMANCE,
      test: 'PostgreSQL: a beat buries by witness only who was silent while another was heard, and not before a fifth of a lease has passed',
    },
  },
  {
    name: 'witness-margin',
    safeguard: 'whoever lives has a fifth of a lease to be heard again',
    file: STORE,
    from: 'statement_timestamp() - $2::float8 / 5 *',
    to: 'statement_timestamp() - $2::float8 / 5000 *',
    caughtBy: {
      file: STORE_CONFORMANCE,
      test: 'PostgreSQL: a beat buries by witness only who was silent while another was heard, and not before a fifth of a lease has passed',
    },
  },
  {
    name: 'lease-before-work',
    safeguard: 'whoever stood still for longer than a lease begins nothing that was claimed before',
    file: 'lib/runtime/run-desk.ts',
    from: ' || !this.ports.slots.holdsLease()) {',
    to: ') {',
    caughtBy: {
      file: DESK_SPEC,
      test: 'RunDesk begins nothing that was answered after its lease had run out, and gives it back',
    },
  },
  {
    name: 'planner-settings',
    safeguard: 'the plans of our statements read no table that happens to be small',
    file: 'lib/persistence/connection.ts',
    from: "enable_seqscan: 'off',",
    to: "enable_seqscan: 'on',",
    caughtBy: {
      file: DOOR_SPEC,
      test: 'the plan of a commit is the same where it is made while the tables are small, as a session of ours has it',
    },
  },
  {
    name: 'thread-renewal',
    safeguard: 'a thread renews the lease where the main thread is late',
    file: KEEPER,
    from: 'if (worker === null ||',
    to: 'if (worker !== undefined ||',
    caughtBy: {
      file: KEEPER_SPEC,
      test: 'the thread that keeps a lease renews it as long as the main thread is late, and gives up when that lasts too long',
    },
  },
  {
    name: 'thread-patience',
    safeguard: 'a main thread that never comes back loses its lease',
    file: KEEPER,
    from: ' || now - movedAt > patienceMs) return;',
    to: ') return;',
    caughtBy: {
      file: KEEPER_SPEC,
      test: 'the thread that keeps a lease renews it as long as the main thread is late, and gives up when that lasts too long',
    },
  },
  {
    name: 'lost-race',
    safeguard: 'a statement that loses a race is sent again',
    file: 'lib/persistence/race.ts',
    from: "if (classifyFailure(error) !== 'race') throw error;",
    to: 'throw error;',
    caughtBy: {
      file: 'lib/persistence/race.spec.ts',
      test: 'a statement that loses a race is sent again until it wins, and any other failure is passed on',
    },
  },
  {
    name: 'migration-lock',
    safeguard: 'a migration lets go of tables that others use, and begins anew',
    file: 'lib/persistence/migrator.ts',
    from: 'const TABLE_LOCK_MS = 1_000;',
    to: 'const TABLE_LOCK_MS = 0;',
    caughtBy: {
      file: 'test/integration/migrations.spec.ts',
      test: 'the migrations wait for a table that somebody uses, and keep nobody else waiting behind them',
    },
  },
  {
    name: 'start-under-way',
    safeguard: 'a process does not end while a start of its own may yet claim something',
    file: 'lib/runtime/run-desk.ts',
    from: ' && this.starting.size === 0;',
    to: ';',
    caughtBy: {
      file: DESK_SPEC,
      test: 'RunDesk is not quiet while a start is under way: what it claims begins with the answer',
    },
  },
  {
    name: 'own-holds',
    safeguard: 'a worker frees holds of its own only, and none that it works on',
    file: 'lib/runtime/run-desk.ts',
    from: ' || run.worker !== this.ports.self.id) return;',
    to: ') return;',
    caughtBy: { file: DESK_SPEC, test: 'RunDesk frees no holds of another worker, nor of a run that it works on' },
  },
  {
    name: 'answer-of-another',
    safeguard: 'a lane that closes gives the answer of a commit that was given up to no other',
    file: LANE,
    from: 'if (this.closing && this.unsettled) throw stopped(null);',
    to: '',
    caughtBy: {
      file: 'lib/persistence/lane.spec.ts',
      test: 'a lane that closes does not give the next commit the answer of the last one, which it has given up',
    },
  },
  {
    name: 'place-in-queue',
    safeguard: 'what a dead worker held keeps its place in the queue',
    file: 'lib/engine/decide.ts',
    from: 'crashed(hold), sinceOf(hold))',
    to: 'crashed(hold), null)',
    caughtBy: {
      file: 'lib/engine/decide.spec.ts',
      test: 'a worker that is lost leaves what it held ready with the time of its claim, which is its place in the queue',
    },
  },
  {
    name: 'own-commit-first',
    safeguard: 'what a claim says of a run does not change it under a commit that is on its way',
    file: 'lib/runtime/run-desk.ts',
    from: 'if (!run.isCommitting && run.revision < stored.revision)',
    to: 'if (run.revision < stored.revision)',
    caughtBy: {
      file: DESK_SPEC,
      test: 'RunDesk takes what a claim says of a run only between its own commits: their revision is that of what they wrote',
    },
  },
  {
    name: 'server-start',
    safeguard: 'no lease runs out before the server has been up for one',
    file: STORE,
    from: "\n    AND statement_timestamp() > pg_postmaster_start_time() + $2::float8 * interval '1 millisecond'",
    to: '',
    caughtBy: { file: STORE_SPEC, test: 'a beat buries nobody before the server has been up for a lease' },
  },
  {
    name: 'database-clock',
    safeguard: "leases are given by the database's clock",
    file: 'lib/persistence/sql-run-store.ts',
    from: 'sql.RENEW_LEASE, [worker, leaseMs]',
    to: 'sql.RENEW_LEASE, [worker, leaseMs + Date.now() - performance.timeOrigin - performance.now()]',
    caughtBy: {
      file: STORE_SPEC,
      test: 'a beat gives leases by the clock of the database, whatever that of the worker says',
    },
  },
  {
    name: 'heartbeat-lock',
    safeguard: 'the heartbeat of a living worker holds a lock that others see',
    file: 'lib/persistence/sql-run-store.ts',
    from: "    await this.pulse('hold_worker_lock', sql.HOLD_WORKER_LOCK, [id]);\n",
    to: '',
    caughtBy: {
      file: STORE_SPEC,
      test: 'a beat buries a worker half a lease earlier whose heartbeat is not connected',
    },
  },
  {
    name: 'own-lease',
    safeguard: 'nothing is claimed by a process whose lease may have run out',
    file: 'lib/runtime/slot-office.ts',
    from: 'return this.isOpen && this.holdsLease();',
    to: 'return this.isOpen;',
    caughtBy: {
      file: PUMP_SPEC,
      test: 'the office of slots offers nothing without a lease, while hushed, and once closed',
    },
  },
  {
    name: 'slots-of-claims',
    safeguard: 'a claim that found less than it had room for gives the room back',
    file: 'lib/runtime/step-pump.ts',
    from: 'this.slots.release(limit - taken);',
    to: '',
    caughtBy: {
      file: PUMP_SPEC,
      test: 'a pump claims for its free slots only, and gives back those that it found nothing for',
    },
  },
  {
    name: 'slots-taken-back',
    safeguard: 'slots taken for a commit that did not come to pass are free again',
    file: 'lib/runtime/slot-office.ts',
    from: 'this.release(queue, Math.max(0, count - (kept.get(queue) ?? 0)));',
    to: 'this.release(queue, Math.max(0, count - count * 1 - (kept.get(queue) ?? 0)));',
    caughtBy: {
      file: PUMP_SPEC,
      test: 'the office of slots takes slots beyond those that were brought, and gives back what is not used',
    },
  },
  {
    name: 'news-meanwhile',
    safeguard: 'a bell that rings while a claim is on its way is heard',
    file: 'lib/runtime/step-pump.ts',
    from: '    this.news = false;\n    this.slots.take(limit);\n    try {\n      taken = await this.options.claim(limit);',
    to: '    this.slots.take(limit);\n    try {\n      taken = await this.options.claim(limit);\n      this.news = false;',
    caughtBy: {
      file: PUMP_SPEC,
      test: 'a pump takes up the news of a bell that rings while a claim is on its way',
    },
  },
  {
    name: 'bell-meanwhile',
    safeguard: 'a bell for a queue whose bell is on its way rings once more',
    file: 'lib/queue/bell.ts',
    from: 'this.again.add(queue);',
    to: '',
    caughtBy: {
      file: 'lib/queue/bell.spec.ts',
      test: 'a bell that is rung while one is on its way rings once more when that has arrived',
    },
  },
  {
    name: 'crashes-apart',
    safeguard: 'a crash counts as no failure',
    file: 'lib/engine/decide.ts',
    from: '{ ...tallyOf(tally), crashes: tally.crashes + 1 }',
    to: '{ ...tallyOf(tally), failures: tally.failures + 1 }',
    caughtBy: {
      file: PROPERTIES,
      test: 'whatever the graph and the order of events a run whose workers die completes, unless a step died alone too often, and no crash counts as a failure',
    },
  },
  {
    name: 'failures-counted',
    safeguard: 'a failure counts as no crash, and against the attempts of the policy',
    file: 'lib/engine/decide.ts',
    from: 'const tally = { ...givenUp(draft, position, claim, failure.inDoubt), failures: claim.failures + 1 };',
    to: 'const tally = { ...givenUp(draft, position, claim, failure.inDoubt), crashes: claim.crashes + 1 };',
    caughtBy: {
      file: PROPERTIES,
      test: 'whatever the graph and the order of events a run whose steps fail completes, or fails with the step that stopped it',
    },
  },
  {
    name: 'stop-takes-ready-rows',
    safeguard: 'whoever stops a run changes its ready rows in the same commit',
    file: 'lib/engine/decide.ts',
    from: 'if (!waiting) continue;',
    to: 'if (waiting) continue;\n    if (!waiting) continue;',
    caughtBy: {
      file: PROPERTIES,
      test: 'whatever the graph and the order of events a run that is cancelled at any point ends as cancelled, unless it ended or failed first',
    },
  },
  {
    name: 'bystanders',
    safeguard: 'only a step that ran alone is quarantined',
    file: 'lib/engine/decide.ts',
    from: 'return alone && crashes + 1',
    to: 'return (alone || true) && crashes + 1',
    caughtBy: {
      file: PROPERTIES,
      test: 'whatever the graph and the order of events a run whose workers die completes, unless a step died alone too often, and no crash counts as a failure',
    },
  },
  {
    name: 'unseen-signals',
    safeguard: 'every beat tells the runs that have signals at which nobody has looked, notified or not',
    file: 'lib/runtime/beat.ts',
    from: "for (const runId of news.signalledRuns) this.tell(runId, { type: 'signalled' });",
    to: '',
    caughtBy: {
      file: 'test/integration/signals.spec.ts',
      test: 'a step that waits for a signal goes on in a process that heard nothing of the signal, and without a bell',
    },
  },
  {
    name: 'parked-without-looking',
    safeguard: 'a commit that lets a step wait for a signal without having looked is void where there is one',
    file: COMMIT,
    from: 'AND NOT (l.expects_no_signals AND EXISTS',
    to: 'AND NOT (false AND l.expects_no_signals AND EXISTS',
    caughtBy: {
      file: STORE_CONFORMANCE,
      test: 'PostgreSQL: a signal that nobody has taken makes a commit void that expects none, and one that was taken does not',
    },
  },
  {
    name: 'signal-taken-once',
    safeguard: 'a signal is given to one step',
    file: 'lib/engine/draft.ts',
    from: 'signals.includes(name) && isFree(id)',
    to: 'signals.includes(name)',
    caughtBy: {
      file: SIGNALS_SPEC,
      test: 'a step that waits for a signal leaves a signal to another that took it in the same commit',
    },
  },
  {
    name: 'last-look',
    safeguard: 'a wait whose time is over takes the signal that came before it was ended',
    file: 'lib/engine/decide.ts',
    from: "if (draft.takeSignal(position)) return draft.resume(position, tallyOf(claim), claim.startedAt, 'received');",
    to: '',
    caughtBy: { file: SIGNALS_SPEC, test: 'the time of a wait does not end it where a signal came before' },
  },
  {
    name: 'undo-settled',
    safeguard: 'nothing is undone while an attempt is under way',
    file: 'lib/engine/decide.ts',
    from: "  if (draft.isAnythingOpen()) return;\n  if (draft.status !== 'pending' && beginToUndo(draft)) return;",
    to: "  if (draft.status !== 'pending' && beginToUndo(draft)) return;\n  if (draft.isAnythingOpen()) return;",
    caughtBy: { file: COMPENSATION_SPEC, test: 'a run that fails undoes nothing while an attempt is under way' },
  },
  {
    name: 'undo-newest-first',
    safeguard: 'what came later is undone before what came earlier',
    file: 'lib/engine/indexed-graph.ts',
    from: 'return later(positions.get(compensates)!).flatMap((other) => undoneBy[other] ?? []);',
    to: 'return [];',
    caughtBy: {
      file: COMPENSATION_SPEC,
      test: 'a run that fails undoes what was done: at first the newest, side by side where they ran side by side',
    },
  },
  {
    name: 'undo-doubt',
    safeguard: 'what may have been done is undone',
    file: 'lib/engine/draft.ts',
    from: 'const isDoubtful = crashes > 0 || inDoubt === true;',
    to: 'const isDoubtful = false && (crashes > 0 || inDoubt === true);',
    caughtBy: {
      file: COMPENSATION_SPEC,
      test: 'a step of which nobody knows whether it had its effect is undone: its attempt was aborted',
    },
  },
  {
    name: 'half-undone',
    safeguard: 'a cancelled run of which something could not be undone has failed',
    file: 'lib/engine/decide.ts',
    from: 'if (draft.view.failure === null) draft.failure ??= { step, error };',
    to: '',
    caughtBy: {
      file: COMPENSATION_SPEC,
      test: 'a compensation that fails for good makes a cancelled run a failed one',
    },
  },
  {
    name: 'deadline-told',
    safeguard: 'a run whose deadline has passed is told so',
    file: 'lib/runtime/beat.ts',
    from: "for (const runId of news.overdueRuns) this.tell(runId, { type: 'deadline-passed', error: this.ports.overdue });",
    to: '',
    caughtBy: {
      file: 'test/integration/deadlines.spec.ts',
      test: 'a deadline fails the run in the first step that has not ended, at its time and not before, and undoes what was done',
    },
  },
  {
    name: 'joins-once',
    safeguard: 'a step waits for all that it depends on',
    file: 'lib/engine/turns.ts',
    from: "if (before[position]!.some(isUndecided)) return 'wait';",
    to: "if (before[position]!.every(isUndecided)) return 'wait';",
    caughtBy: {
      file: PROPERTIES,
      test: 'whatever the graph and the order of events a run in which nothing fails completes, every step in its first attempt',
    },
  },
  {
    name: 'one-suspect',
    safeguard: 'a process runs one suspect at a time',
    file: 'lib/runtime/suspect-ward.ts',
    from: 'if (this.isBusy || ',
    to: 'if (',
    caughtBy: {
      file: 'test/integration/suspects.spec.ts',
      test: 'steps under which workers died run one at a time, beside others that are not suspected',
    },
  },
  {
    name: 'suspects-alone',
    safeguard: 'a step that needs one crash more runs with nothing beside it',
    file: 'lib/runtime/suspect-ward.ts',
    from: '    slots.hush();\n',
    to: '',
    caughtBy: {
      file: 'test/integration/suspects.spec.ts',
      test: 'steps under which workers died run with nothing beside them where one more crash would be the last',
    },
  },
  {
    name: 'hand-over',
    safeguard: 'a process that ends hands its running steps over',
    file: 'lib/runtime/flow-runtime.ts',
    from: 'const handedOver = this.desk.handOver();',
    to: 'const handedOver = 0;',
    caughtBy: {
      file: 'test/integration/module.spec.ts',
      test: 'a shutdown hands over what does not end in time, and another process ends it',
    },
  },
  {
    name: 'input-of-keys',
    safeguard: 'a key that was used with other input is refused',
    file: 'lib/runtime/run-starter.ts',
    from: 'if (Buffer.compare(existing.inputHash, request.inputHash!) === 0) return existing.id;',
    to: 'if (existing.id) return existing.id;',
    caughtBy: {
      file: 'test/integration/orchestrator.spec.ts',
      test: 'a key used again with other input is refused',
    },
  },
  {
    name: 'guard-by-stage',
    safeguard: 'what an attempt reported before its condition was met is not taken for what it reports afterwards',
    file: COMMIT,
    from: '\n      AND s.stage IS NOT DISTINCT FROM b.guard_stage',
    to: '',
    caughtBy: {
      file: STORE_CONFORMANCE,
      test: 'PostgreSQL: a commit of a step at stage admitted is guarded by it: by undefined it is stale',
    },
  },
  {
    name: 'stage-of-claim',
    safeguard: 'an attempt that goes on after its condition was met is another claim',
    file: 'lib/engine/decide.ts',
    from: 'tally?.attempt === claim.attempt && tally.stage === claim.stage',
    to: 'tally?.attempt === claim.attempt',
    caughtBy: {
      file: TURNS_SPEC,
      test: 'a step with a condition goes on in the same attempt once its condition was met, and what it then reports is told from what came before',
    },
  },
  {
    name: 'code-before-work',
    safeguard: 'a process without the code of a run begins nothing of it',
    file: 'lib/runtime/folder.ts',
    from: 'run.definition.code ? this.slots.offer(own) : NO_SLOTS;',
    to: 'this.slots.offer(own);',
    caughtBy: {
      file: DESK_SPEC,
      test: 'RunDesk begins nothing of a run whose code this process lacks, although it has free slots: it leaves it ready',
    },
  },
  {
    name: 'backoff-of-no-use',
    safeguard: 'a backoff function that gives no duration is told of, and does not pass for one that was not asked',
    file: 'lib/runtime/own-backoff.ts',
    from: 'if (delayMs !== null) return',
    to: 'return',
    caughtBy: {
      file: 'test/integration/retries.spec.ts',
      test: 'the policy of its own whose function is of no use is an exponential one, and it is said why',
    },
  },
  {
    name: 'result-of-a-loser',
    safeguard: 'a step that has lost a join gives nothing, also where it completes before its result is asked for',
    file: 'lib/runtime/step-runner.ts',
    from: '!hasCompleted(binding.step, attempt)',
    to: 'false',
    caughtBy: {
      file: 'test/integration/turns.spec.ts',
      test: 'a join of any raises the signal of the loser in another process, does not take what it says, and ends the run after it',
    },
  },
  {
    name: 'late-output',
    safeguard: 'the late result of a step that has lost a join is not the output of its run',
    file: STORE,
    from: ' AND NOT s.aborting',
    to: '',
    caughtBy: {
      file: STORE_CONFORMANCE,
      test: 'PostgreSQL: definitions and results the output is not that of a step that has lost a join and completed all the same',
    },
  },
  {
    name: 'late-output-here',
    safeguard:
      'the late result of a step that has lost a join is not the output of its run where that ends in this process',
    file: 'lib/runtime/run-desk.ts',
    from: ' && run.hasCompleted(fact.claim.step))',
    to: ')',
    caughtBy: {
      file: 'test/integration/turns.spec.ts',
      test: 'a join of any gives no output where that would be the late result of a loser of this process',
    },
  },
  {
    name: 'rows-of-losers',
    safeguard: 'whether a loser waits or runs is asked of its row',
    file: 'lib/engine/turns.ts',
    from: 'if (draft.needsRowOf(position)) return null;',
    to: '',
    caughtBy: { file: TURNS_SPEC, test: 'a join of some must see the rows where only they know what runs' },
  },
  {
    name: 'open-while-starting',
    safeguard: 'what a start claims is not given back as lost before its answer has come',
    file: 'lib/runtime/run-desk.ts',
    from: 'this.runs.has(runId) || this.starting.has(runId)',
    to: 'this.runs.has(runId)',
    caughtBy: {
      file: DESK_SPEC,
      test: 'RunDesk is not quiet while a start is under way: what it claims begins with the answer',
    },
  },
  {
    name: 'wanted-by-others',
    safeguard: 'what only losers waited for is given up, and nothing that somebody else waits for',
    file: 'lib/engine/turns.ts',
    from: 'if (!isDirect && isWanted) continue;',
    to: '',
    caughtBy: {
      file: TURNS_SPEC,
      test: 'a join of some gives up what only the others waited for, and leaves what somebody else waits for',
    },
  },
  {
    name: 'wait-before-time',
    safeguard: 'what waits for a time is woken by nothing before it',
    file: STORE,
    from: 'WHERE due_at <= orchestrate_flow.now()\n  ORDER BY due_at LIMIT $1',
    to: 'WHERE due_at IS NOT NULL\n  ORDER BY due_at LIMIT $1',
    caughtBy: {
      file: STORE_CONFORMANCE,
      test: 'PostgreSQL: time makes a step ready that waits by dueAt when it is due, and not before',
    },
  },
  {
    name: 'own-name-first',
    safeguard: 'a stored step is not run by a method that was renamed from it and that the graph has as another step',
    file: FITTING,
    from: 'stored.has(name) ? name : renamedFrom',
    to: 'renamedFrom',
    caughtBy: {
      file: FITTING_SPEC,
      test: 'the code of a build for a stored graph takes a name that the graph has for itself, also where another was renamed from what it has',
    },
  },
  {
    name: 'kind-of-old-step',
    safeguard: 'a build whose step is of another kind leaves the runs on the stored graph alone',
    file: FITTING,
    from: 'if (kind !== node.kind) return',
    to: 'if (kind !== kind) return',
    caughtBy: {
      file: FITTING_SPEC,
      test: 'the code of a build for a stored graph is none where a step has become a pause',
    },
  },
  {
    name: 'result-of-new-step',
    safeguard: 'a build whose method requires a result that the stored graph does not give leaves its runs alone',
    file: FITTING,
    from: 'taken === undefined || ',
    to: 'taken !== undefined && ',
    caughtBy: {
      file: FITTING_SPEC,
      test: 'the code of a build for a stored graph is none where a step takes the result of a new one',
    },
  },
  {
    name: 'items-apart',
    safeguard: 'the outcome of an item is guarded by the row of that item, and not by that of another',
    file: COMMIT,
    from: 's.name = b.name AND s.item = b.item AND',
    to: 's.name = b.name AND s.item = 0 AND',
    caughtBy: {
      file: STORE_CONFORMANCE,
      test: 'PostgreSQL: items of a fan-out are written each by itself, under its own guard, and are no steps of the run',
    },
  },
  {
    name: 'items-once',
    safeguard: 'items that are stored stay as they are, whoever stores them again',
    file: STORE,
    from: 'AND r.ended_at IS NULL\nON CONFLICT DO NOTHING',
    to: 'AND r.ended_at IS NULL\nON CONFLICT (run_id, generation, name, item, round) DO UPDATE SET payload = excluded.payload',
    caughtBy: {
      file: STORE_CONFORMANCE,
      test: 'PostgreSQL: items of a fan-out are stored once, and stay as they are, and none of a run that has ended',
    },
  },
  {
    name: 'items-at-once',
    safeguard: 'no more items of a fan-out run at once than may',
    file: 'lib/engine/fan-out.ts',
    from: ' && openItemsOf(fanOut) < limits!.maxItems',
    to: '',
    caughtBy: {
      file: FAN_OUT_SPEC,
      test: 'a fan-out begins as many of its items as may run at once: here where a slot is free, else as ready rows',
    },
  },
  {
    name: 'items-closed',
    safeguard: 'once too many items have failed no more begin',
    file: 'lib/engine/fan-out.ts',
    from: 'fanOut.end === undefined && fanOut.next',
    to: 'fanOut.next',
    caughtBy: {
      file: FAN_OUT_SPEC,
      test: 'a fan-out may fail where its run goes on all the same, once nothing of it is under way',
    },
  },
  {
    name: 'items-doubled',
    safeguard: 'an outcome of an item that came twice does not end a fan-out that has ended',
    file: 'lib/engine/item-ledger.ts',
    from: 'if (!this.has(item)) return MARK.completed;',
    to: '',
    caughtBy: {
      file: FAN_OUT_SPEC,
      test: 'a fan-out takes no outcome of an item twice, also where its fan-out seems to end between',
    },
  },
  {
    name: 'context-outlasted',
    safeguard: 'a step has ended when its method has, whatever the restoring of its context gives',
    file: 'lib/runtime/run-context.ts',
    from: 'if (called) return called;',
    to: 'if (called) return undefined;',
    caughtBy: {
      file: 'test/integration/run-context.spec.ts',
      test: 'the context of a run may be restored later, and a step has ended when its method has',
    },
  },
  {
    name: 'context-each',
    safeguard: 'each call is given what was captured, and not what another has made of it',
    file: 'lib/runtime/step-runner.ts',
    from: ': callWithin(context, codec.decode(carried), attempt,',
    to: ': callWithin(context, ((globalThis as unknown as Record<string, unknown>)[carried] ??= codec.decode(carried)), attempt,',
    caughtBy: {
      file: 'test/integration/run-context.spec.ts',
      test: 'the context of a run is that of whoever started it, in each method that it calls, and each gets it as it was',
    },
  },
  {
    name: 'late-instance',
    safeguard: 'a step whose attempt was ended while its instance was made does not begin',
    file: 'lib/runtime/step-call.ts',
    from: '  attempt.signal.throwIfAborted();\n',
    to: '',
    caughtBy: {
      file: 'test/integration/interceptors.spec.ts',
      test: 'the calls of steps do not begin where the timeout has ended them while their instance was made',
    },
  },
  {
    name: 'interceptor-scope',
    safeguard: 'what an AsyncLocalStorage held where an interceptor went on it holds in the step',
    file: 'lib/runtime/intercept.ts',
    from: 'defer(() => resource.runInAsyncScope(enter))',
    to: 'defer(enter)',
    caughtBy: {
      file: 'test/integration/interceptors.spec.ts',
      test: 'the calls of steps go through the interceptors of the class, then of the method, and through no global one',
    },
  },
];

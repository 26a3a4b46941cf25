import {
  Compensate,
  type ControlOptions,
  Input,
  Manager,
  Orchestrator,
  type Run,
  RunFailedError,
  Sleep,
  Step,
  Workflow,
} from 'orchestrate-flow';
import type { Subscription } from 'rxjs';
import type { DataSource, EntityManager } from 'typeorm';

export class Signup {
  email!: string;
}

@Workflow({ name: 'signup', queue: 'mail', priority: 10 })
export class SignupWorkflow {
  static readonly input = Signup;
  static readonly output = 'greet';

  @Sleep('1d') wait!: void;

  @Step({ priority: 0 }) // before the other steps of this queue: lower runs first
  greet(@Input() { email }: Signup): string {
    return `Hello ${email}`;
  }
}

/** One run per key, however often it is called. */
export function signUp(orchestrator: Orchestrator, signup: Signup): Promise<Run<string>> {
  return orchestrator.start(SignupWorkflow, signup, { key: signup.email });
}

/** The row and the run are there together, or not at all. */
export function signUpWithRow(orchestrator: Orchestrator, dataSource: DataSource, signup: Signup) {
  return dataSource.transaction(async (manager) => {
    await manager.query('INSERT INTO signup (email) VALUES ($1)', [signup.email]);
    return orchestrator.start(SignupWorkflow, signup, { key: signup.email, manager });
  });
}

export function signUpAll(orchestrator: Orchestrator, signups: readonly Signup[], startAt: Date) {
  return orchestrator.startMany(
    SignupWorkflow,
    signups.map((input) => ({ input, key: input.email, startAt })), // up to 1,000 in one commit
  );
}

export async function stopOrHurry(orchestrator: Orchestrator, email: string, wish: 'stop' | 'hurry'): Promise<void> {
  const run = { workflow: SignupWorkflow, key: email }; // or its id
  if (wish === 'stop') await orchestrator.cancel(run, { by: 'Ann', reason: 'unsubscribed' });
  else await orchestrator.wake(run, { by: 'Ann' }); // ends sleeps, delays, and the wait for a next attempt
}

/** While a partner has a fault its runs are held: what is under way ends, and nothing new begins. */
export async function hold(orchestrator: Orchestrator, isHeld: boolean, asked: ControlOptions): Promise<number> {
  const runs = { workflow: SignupWorkflow }; // one run: orchestrator.pause(id, asked), or run.pause()
  const { count } = isHeld ? await orchestrator.pauseAll(runs, asked) : await orchestrator.resumeAll(runs, asked);
  return count;
}

/** Who did what to a run, and why: newest first. */
export async function whoDidWhat(orchestrator: Orchestrator, email: string): Promise<string[]> {
  const { entries } = await orchestrator.audit({ run: { workflow: SignupWorkflow, key: email } });
  return entries.map(({ action, by, reason }) => `${action} by ${by ?? 'nobody we know'}: ${reason ?? 'no reason'}`);
}

export async function describe(orchestrator: Orchestrator, email: string): Promise<string[]> {
  const run = await orchestrator.get({ workflow: SignupWorkflow, key: email });
  const steps = await orchestrator.steps(run.id);
  const sleepers = await orchestrator.list({ workflow: SignupWorkflow, status: 'waiting', limit: 10 });
  return [
    `the run is ${run.status}`,
    ...steps.map(({ name, status }) => `${name} is ${status}`),
    `${sleepers.runs.length} asleep`,
  ];
}

export async function findVips(orchestrator: Orchestrator): Promise<string[]> {
  await orchestrator.start(SignupWorkflow, { email: 'zoe' }, { tags: ['vip', 'eu'] }); // beside those of @Workflow({ tags })
  const { runs } = await orchestrator.list({ tags: ['vip', 'eu'] }); // they bear both
  return runs.map(({ input }) => (input as Signup).email);
}

export async function findRunsOf(orchestrator: Orchestrator, tenant: string): Promise<string[]> {
  await orchestrator.start(SignupWorkflow, { email: 'ann' }, { tenant });
  const { runs } = await orchestrator.list({ tenant });
  return runs.map(({ input }) => (input as Signup).email);
}

export async function forget(orchestrator: Orchestrator, email: string): Promise<number> {
  await orchestrator.delete({ workflow: SignupWorkflow, key: email }, { by: 'Ann', reason: 'asked for it' }); // its key is free
  return orchestrator.purge({ workflow: SignupWorkflow, status: 'completed', olderThan: '30d' }); // how many
}

export function watch(orchestrator: Orchestrator, say: (line: string) => void): Subscription {
  return orchestrator.events$.subscribe((event) => {
    if (event.type === 'step.waiting') say(`${event.step} waits`);
    if (event.type === 'run.completed') say(`${event.workflow} has completed`);
  });
}

export async function resultOrReason(run: Run<string>): Promise<string> {
  try {
    return await run.result({ timeout: '30s' });
  } catch (error) {
    if (error instanceof RunFailedError) return `failed: ${String(error.cause)}`;
    throw error;
  }
}

export class Transfer {
  from!: string;
  to!: string;
  amount!: number;
}

@Workflow({ name: 'transfer' })
export class TransferWorkflow {
  static readonly input = Transfer;
  static readonly output = 'book';

  @Step({ timeout: '10s' }) // what it writes and that it has completed are one commit
  async book(@Input() { from, to, amount }: Transfer, @Manager() manager: EntityManager): Promise<number> {
    await manager.query('UPDATE account SET balance = balance - $2 WHERE name = $1', [from, amount]);
    await manager.query('UPDATE account SET balance = balance + $2 WHERE name = $1', [to, amount]);
    return amount;
  }

  @Compensate('book')
  async takeBack(@Input() { from, to, amount }: Transfer, @Manager() manager: EntityManager): Promise<void> {
    await manager.query('UPDATE account SET balance = balance + $2 WHERE name = $1', [from, amount]);
    await manager.query('UPDATE account SET balance = balance - $2 WHERE name = $1', [to, amount]);
  }
}

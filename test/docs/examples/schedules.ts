import { Input, type Orchestrator, type Run, Schedule, Step, Workflow } from 'orchestrate-flow';

export class Day {
  date!: string;
}

@Schedule('0 2 * * *', {
  timeZone: 'Europe/Berlin',
  input: ({ scheduledAt }: { scheduledAt: Date }): Day => ({ date: scheduledAt.toISOString().slice(0, 10) }),
})
@Workflow({ name: 'nightly-report' })
export class NightlyReport {
  static readonly input = Day;
  static readonly output = 'write';

  @Step()
  write(@Input() { date }: Day): string {
    return `the report of ${date}`;
  }
}

export class Feed {
  url!: string;
}

@Workflow({ name: 'feed' })
export class FeedWorkflow {
  static readonly input = Feed;

  @Step()
  fetch(@Input() { url }: Feed): string {
    return `fetched ${url}`;
  }
}

/** A schedule for each customer, kept in the database: made anew it is changed. */
export function watchFeed(orchestrator: Orchestrator, customer: string, url: string) {
  return orchestrator.schedules.upsert(`feed of ${customer}`, {
    workflow: FeedWorkflow,
    input: { url },
    every: '15m', // at :00, :15, :30 and :45
    overlap: 'queue', // one waits for the end of the run before; or 'skip', 'allow', 'cancel'
    catchUp: 'none', // what was missed while nobody was there is left out; or 'latest', 'all', { atMost: 24 }
  });
}

/** Support lets it rest, looks once by hand, and wakes it. */
export async function repair(orchestrator: Orchestrator, customer: string): Promise<Run> {
  const { schedules } = orchestrator;
  await schedules.pause(`feed of ${customer}`);
  const run = await schedules.trigger(`feed of ${customer}`);
  await schedules.resume(`feed of ${customer}`);
  return run;
}

import {
  type ControlOptions,
  Ctx,
  Input,
  NonRetryableError,
  type Orchestrator,
  Retry,
  Result,
  RetryAfterError,
  Step,
  type StepContext,
  Workflow,
} from 'orchestrate-flow';

export class Webhook {
  url!: string;
}

export interface Answer {
  status: number;
  retryAfter?: '30s';
}

/** Nobody has the time to take a report. */
export class Busy extends Error {}

export class HttpService {
  report(status: number): string {
    return `answered ${status}`;
  }

  async post(url: string, { signal }: { signal: AbortSignal }): Promise<Answer> {
    signal.throwIfAborted();
    return { status: url.endsWith('gone') ? 410 : 200 };
  }
}

@Workflow({ name: 'webhook' })
export class WebhookWorkflow {
  static readonly input = Webhook;
  static readonly output = 'deliver';

  constructor(private readonly http: HttpService) {}

  @Step({ timeout: '10s' }) // of one attempt: its signal is aborted then
  @Retry({ attempts: 8, backoff: 'exponential', delay: '5s', maxDelay: '1h' }) // with full jitter
  async deliver(@Input() { url }: Webhook, @Ctx() { signal }: StepContext): Promise<number> {
    const answer = await this.http.post(url, { signal });
    if (answer.status === 410) throw new NonRetryableError('This hook is gone.');
    if (answer.status === 429) throw new RetryAfterError(answer.retryAfter ?? '1m');
    if (answer.status >= 500) throw new Error(`The hook answered ${answer.status}.`);
    return answer.status;
  }

  @Step()
  @Retry({ attempts: 4, backoff: (failures, error) => (error instanceof Busy ? '1h' : failures * 10_000) })
  report(@Result('deliver') status: number): string {
    return this.http.report(status);
  }
}

@Workflow({ name: 'migration' })
export class MigrationWorkflow {
  static readonly output = 'copy';

  constructor(private readonly http: HttpService) {}

  @Step({ heartbeat: '1m' }) // silent for longer, it is given up like one that has timed out
  async copy(@Ctx() { lastHeartbeat, heartbeat, signal }: StepContext): Promise<number> {
    const done = (lastHeartbeat as number | undefined) ?? 0; // where the attempt before has come to
    for (let page = done + 1; page <= 3; page++) {
      await this.http.post(`/pages/${page}`, { signal });
      heartbeat(page);
    }
    return 3 - done;
  }
}

@Workflow({ name: 'thumbnail' })
export class ThumbnailWorkflow {
  static readonly output = 'choose';

  @Step({ queue: 'gpu', scheduleToStart: '15m', onFailure: 'continue' }) // where no worker of `gpu` has taken it by then it fails
  render(): string {
    return 'rendered';
  }

  @Step()
  choose(@Result('render', { optional: true }) picture: string | undefined): string {
    return picture ?? 'a grey box';
  }
}

/** The partner is back: every run that failed goes on from what failed. */
export async function tryAgain(orchestrator: Orchestrator, asked: ControlOptions): Promise<number> {
  const { count, refused } = await orchestrator.retryAll({ workflow: WebhookWorkflow }, asked); // completed steps keep their results
  for (const { runId, error } of refused) console.warn(`${runId}: ${error.message}`); // those whose steps were undone, perhaps
  return count;
}

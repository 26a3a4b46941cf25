import { NonRetryableError, RetryAfterError } from 'orchestrate-flow';

/** What a step hands on so that its outside calls can be repeated and stopped: a StepContext fits. */
export interface PartnerCall {
  /** The same on every attempt of a step: the partner answers a repetition with its first answer. */
  readonly idempotencyKey: string;
  readonly signal: AbortSignal;
}

/** A partner understood us and said no: trying again would change nothing. */
export class PartnerRefusedError extends NonRetryableError {
  constructor(
    readonly statusCode: number,
    readonly reason: string,
  ) {
    super(`The partner refused with ${statusCode}: ${reason}`);
  }
}

/** Posts to a partner's API and says in the library's words what its answer means for the next attempt. */
export async function callPartner<Answer>(url: string, body: object, call: PartnerCall): Promise<Answer> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': call.idempotencyKey },
    body: JSON.stringify(body),
    signal: call.signal,
  });
  if (response.ok) return (await response.json()) as Answer;
  if (response.status === 429) throw new RetryAfterError(retryAfterMs(response), `${url} asks us to come back later`);
  if (response.status >= 500) throw new Error(`${url} answered ${response.status}`);
  const { reason } = (await response.json()) as { reason: string };
  throw new PartnerRefusedError(response.status, reason);
}

function retryAfterMs(response: Response): number {
  return Number(response.headers.get('retry-after') ?? 1) * 1_000;
}

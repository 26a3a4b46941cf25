/**
 * Something that waits for a time which has not come yet.
 *
 * @publicApi
 */
export interface Waiting {
  readonly runId: string;
  readonly workflow: string;
  /** Null where the run itself waits: it begins then. */
  readonly step: string | null;
  /** `pending` or `retrying`, for instance. */
  readonly status: string;
  readonly dueAt: Date;
  /** Milliseconds until then: `advance()` by so much, and it is due. */
  readonly dueInMs: number;
}

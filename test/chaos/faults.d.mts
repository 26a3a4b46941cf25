export interface Fault {
  readonly kind: 'SIGKILL' | 'SIGSTOP' | 'SIGSTOP inside' | 'SIGTERM';
  readonly pid: number;
  /** Milliseconds of the machine's monotonic clock. */
  readonly at: number;
  readonly until?: number;
}

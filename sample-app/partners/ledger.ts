import { appendFileSync, existsSync, readFileSync } from 'node:fs';

export type LedgerKind = 'charged' | 'declined' | 'refunded' | 'repeated' | 'turned away';

/** One line for every request about money: those that moved some, and those that did not. */
export interface LedgerEntry {
  readonly at: string;
  readonly kind: LedgerKind;
  readonly orderId: string;
  readonly key: string;
  readonly amountCents: number;
  readonly chargeId?: string;
}

/** The provider's own book: a file of JSON lines, known to nobody but the provider. */
export class Ledger {
  private readonly entries: LedgerEntry[];

  constructor(private readonly file: string | null) {
    this.entries = file !== null && existsSync(file) ? readLines(file) : [];
  }

  write(entry: Omit<LedgerEntry, 'at'>): void {
    const line: LedgerEntry = { at: new Date().toISOString(), ...entry };
    if (this.file !== null) appendFileSync(this.file, `${JSON.stringify(line)}\n`);
    this.entries.push(line);
  }

  /** What was first answered under an idempotency key. */
  findByKey(key: string): LedgerEntry | null {
    return (
      this.entries.find((entry) => entry.key === key && (entry.kind === 'charged' || entry.kind === 'declined')) ?? null
    );
  }

  ofOrder(orderId: string): LedgerEntry[] {
    return this.entries.filter((entry) => entry.orderId === orderId);
  }

  all(): readonly LedgerEntry[] {
    return this.entries;
  }
}

function readLines(file: string): LedgerEntry[] {
  const lines = readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as LedgerEntry);
}

import { Column, Entity, PrimaryColumn } from 'typeorm';

/** What one country bought within a day. */
export interface CountryLine {
  readonly country: string;
  readonly orders: number;
  readonly totalCents: number;
}

@Entity('daily_reports')
export class DailyReport {
  /** The end of its day. */
  @PrimaryColumn('timestamptz')
  until!: Date;

  @Column('jsonb')
  lines!: CountryLine[];
}

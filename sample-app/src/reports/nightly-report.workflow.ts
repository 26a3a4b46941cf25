import { IsDate } from 'class-validator';
import { Input, Item, Results, Schedule, Step, Workflow } from 'orchestrate-flow';

import type { CountryLine } from './daily-report.entity.js';
import { ReportsService } from './reports.service.js';

export class Day {
  @IsDate()
  until!: Date;
}

export const NIGHTLY_REPORT = 'nightly-report';

/** What was sold within a day, country by country. It starts each night at two, in whichever process; what was missed comes late. */
@Schedule('0 2 * * *', {
  timeZone: 'Europe/Berlin',
  input: ({ scheduledAt }: { scheduledAt: Date }): Day => ({ until: scheduledAt }),
})
@Workflow({ name: NIGHTLY_REPORT })
export class NightlyReportWorkflow {
  static readonly input = Day;

  constructor(private readonly reports: ReportsService) {}

  @Step()
  findCountries(@Input() { until }: Day): Promise<string[]> {
    return this.reports.findCountries(until);
  }

  @Step({ maxItems: 5 }) // five at once: the shop goes on selling meanwhile
  sumUp(@Item('findCountries') country: string, @Input() { until }: Day): Promise<CountryLine> {
    return this.reports.sumUp(country, until);
  }

  @Step()
  write(@Input() { until }: Day, @Results('sumUp') lines: CountryLine[]): Promise<void> {
    return this.reports.keep({ until, lines });
  }
}

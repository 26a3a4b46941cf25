import { Controller, Get, HttpCode, NotFoundException, Post } from '@nestjs/common';
import { Orchestrator } from 'orchestrate-flow';

import { NIGHTLY_REPORT } from './nightly-report.workflow.js';
import { ReportsService } from './reports.service.js';

@Controller('reports')
export class ReportsController {
  constructor(
    private readonly orchestrator: Orchestrator,
    private readonly reports: ReportsService,
  ) {}

  /** Does not wait for the night. */
  @Post()
  @HttpCode(202)
  async writeNow(): Promise<{ runId: string }> {
    const { id } = await this.orchestrator.schedules.trigger(NIGHTLY_REPORT);
    return { runId: id };
  }

  @Get('latest')
  async latest() {
    const report = await this.reports.findLatest();
    if (!report) throw new NotFoundException('There is no report yet: the first comes at two in the night.');
    return report;
  }
}

import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';

import { Invoice } from '../billing/invoice.entity.js';
import { DailyReport } from './daily-report.entity.js';
import { NightlyReportWorkflow } from './nightly-report.workflow.js';
import { ReportsController } from './reports.controller.js';
import { ReportsService } from './reports.service.js';

@Module({
  imports: [TypeOrmModule.forFeature([Invoice, DailyReport])],
  controllers: [ReportsController],
  providers: [ReportsService, NightlyReportWorkflow],
})
export class ReportsModule {}

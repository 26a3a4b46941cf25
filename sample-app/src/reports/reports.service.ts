import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { Repository } from 'typeorm';

import { Invoice } from '../billing/invoice.entity.js';
import { Order } from '../orders/order.entity.js';
import { DailyReport, type CountryLine } from './daily-report.entity.js';

@Injectable()
export class ReportsService {
  constructor(
    @InjectRepository(Invoice) private readonly invoices: Repository<Invoice>,
    @InjectRepository(DailyReport) private readonly reports: Repository<DailyReport>,
  ) {}

  /** The countries to which something was sold within the day before. */
  async findCountries(until: Date): Promise<string[]> {
    const rows = await this.soldBefore(until)
      .select('o.country', 'country')
      .groupBy('o.country')
      .orderBy('o.country')
      .getRawMany<{ country: string }>();
    return rows.map(({ country }) => country);
  }

  async sumUp(country: string, until: Date): Promise<CountryLine> {
    const sums = await this.soldBefore(until)
      .andWhere('o.country = :country', { country })
      .select('count(*)::int', 'orders')
      .addSelect('coalesce(sum(i.totalCents), 0)::int', 'totalCents')
      .getRawOne<Omit<CountryLine, 'country'>>();
    return { country, orders: 0, totalCents: 0, ...sums };
  }

  /** A day has one report: written again, it is the same. */
  async keep(report: DailyReport): Promise<void> {
    await this.reports.save(report);
  }

  findLatest(): Promise<DailyReport | null> {
    return this.reports.findOne({ where: {}, order: { until: 'DESC' } });
  }

  private soldBefore(until: Date) {
    return this.invoices
      .createQueryBuilder('i')
      .innerJoin(Order, 'o', 'o.id = i.orderId')
      .where(`i.issuedAt < :until AND i.issuedAt >= :until::timestamptz - interval '1 day'`, { until });
  }
}

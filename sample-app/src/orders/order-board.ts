import { Injectable, NotFoundException } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { Orchestrator, WorkflowRun } from 'orchestrate-flow';
import { Repository } from 'typeorm';

import type { FindOrdersDto } from './dto/find-orders.dto.js';
import { Order } from './order.entity.js';
import { toRunView, toStepView } from './order-view.js';
import { ORDER_WORKFLOW, OrderWorkflow } from './order.workflow.js';

export interface OrderRow {
  readonly id: string;
  readonly customer: string;
  readonly country: string;
  readonly status: string;
  readonly failedStep: string | null;
  readonly placedAt: Date;
  readonly endedAt: Date | null;
}

/** Where every order stands. Runs are rows beside the shop's own: one query joins them. */
@Injectable()
export class OrderBoard {
  constructor(
    private readonly orchestrator: Orchestrator,
    @InjectRepository(Order) private readonly orders: Repository<Order>,
    @InjectRepository(WorkflowRun) private readonly runs: Repository<WorkflowRun>,
  ) {}

  async get(id: string) {
    const order = await this.orders.findOne({ where: { id }, relations: { items: true } });
    if (!order) throw new NotFoundException(`There is no order ${id}.`);
    const run = await this.orchestrator.get({ workflow: OrderWorkflow, key: id });
    const steps = await this.orchestrator.steps(run.id);
    return { order, run: toRunView(run), steps: steps.map(toStepView) };
  }

  async find({ status, limit, after }: FindOrdersDto): Promise<OrderRow[]> {
    const query = this.joined()
      .select('o.id', 'id')
      .addSelect('o.customerName', 'customer')
      .addSelect('o.country', 'country')
      .addSelect('run.status', 'status')
      .addSelect('run.failedStep', 'failedStep')
      .addSelect('o.placedAt', 'placedAt')
      .addSelect('run.endedAt', 'endedAt')
      .orderBy('o.id')
      .limit(limit);
    if (status) query.andWhere('run.status = :status', { status });
    if (after) query.andWhere('o.id > :after', { after });
    return query.getRawMany<OrderRow>();
  }

  /** How many orders stand where, as `{ completed: 163, 'failed at charge': 12, … }`. */
  async summary(): Promise<Record<string, number>> {
    const rows = await this.joined()
      .select(`CASE run.status WHEN 'failed' THEN 'failed at ' || run.failedStep ELSE run.status END`, 'outcome')
      .addSelect('count(*)::int', 'orders')
      .groupBy('outcome')
      .orderBy('outcome')
      .getRawMany<{ outcome: string; orders: number }>();
    return Object.fromEntries(rows.map(({ outcome, orders }) => [outcome, orders]));
  }

  private joined() {
    return this.runs
      .createQueryBuilder('run')
      .innerJoin(Order, 'o', 'o.id = run.key')
      .where('run.workflow = :workflow', { workflow: ORDER_WORKFLOW });
  }
}

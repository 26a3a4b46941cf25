import { ConflictException, Injectable, NotFoundException } from '@nestjs/common';
import { Orchestrator } from 'orchestrate-flow';
import { DataSource } from 'typeorm';
import type { EntityManager } from 'typeorm';

import { CancellationWorkflow } from './cancellation.workflow.js';
import type { PlaceOrderDto } from './dto/place-order.dto.js';
import { OrderItem } from './order-item.entity.js';
import { Order } from './order.entity.js';
import { OrderWorkflow } from './order.workflow.js';

export interface PlacedOrder {
  readonly id: string;
  readonly runId: string;
  /** False where this order had been placed before. */
  readonly created: boolean;
}

@Injectable()
export class OrdersService {
  constructor(
    private readonly dataSource: DataSource,
    private readonly orchestrator: Orchestrator,
  ) {}

  /** The order and its run come into being in one commit: there is never one without the other. */
  async place(dto: PlaceOrderDto): Promise<PlacedOrder> {
    return this.dataSource.transaction(async (manager) => {
      await saveOrder(manager, dto);
      const run = await this.orchestrator.start(OrderWorkflow, dto, { key: dto.id, manager });
      return { id: dto.id, runId: run.id, created: run.created };
    });
  }

  async cancel(orderId: string, reason = 'The customer changed their mind'): Promise<{ runId: string }> {
    const order = await this.dataSource.getRepository(Order).findOneBy({ id: orderId });
    if (!order) throw new NotFoundException(`There is no order ${orderId}.`);
    const { status } = await this.orchestrator.get({ workflow: OrderWorkflow, key: orderId });
    if (status === 'completed') throw new ConflictException(`Order ${orderId} is on its way already.`);

    const cancellation = { orderId, email: order.email, reason };
    const run = await this.orchestrator.start(CancellationWorkflow, cancellation, { key: orderId });
    return { runId: run.id };
  }
}

/** An order that is there already stays as it is: the customer pressed the button twice. */
async function saveOrder(manager: EntityManager, { id, customer, address, items }: PlaceOrderDto): Promise<void> {
  const order = { id, customerName: customer.name, email: customer.email, ...address };
  await manager.createQueryBuilder().insert().into(Order).values(order).orIgnore().execute();
  const rows = items.map((item) => ({ orderId: id, ...item }));
  await manager.createQueryBuilder().insert().into(OrderItem).values(rows).orIgnore().execute();
}

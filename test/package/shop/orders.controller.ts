import { BadRequestException, Body, Controller, Get, Param, Post } from '@nestjs/common';
import { Orchestrator, OrchestrateFlowError } from 'orchestrate-flow';
import { DataSource } from 'typeorm';

import { OrderDto } from './order.dto.js';
import { Order } from './order.entity.js';
import { OrderWorkflow } from './order.workflow.js';

@Controller('orders')
export class OrdersController {
  constructor(
    private readonly orchestrator: Orchestrator,
    private readonly dataSource: DataSource,
  ) {}

  @Post()
  async place(@Body() dto: OrderDto) {
    return this.dataSource
      .transaction(async (manager) => {
        const run = await this.orchestrator.start(OrderWorkflow, dto, { key: dto.id, manager });
        if (run.created) await manager.insert(Order, dto);
        if (dto.items.includes('trouble')) throw new BadRequestException('Not today.');
        return { created: run.created };
      })
      .catch((error: unknown) => {
        // `instanceof` holds only where the app and its dependencies share one copy of the package.
        if (error instanceof OrchestrateFlowError) throw new BadRequestException({ code: error.code });
        throw error;
      });
  }

  @Get(':id')
  async find(@Param('id') id: string) {
    const order = await this.dataSource.manager.findOneBy(Order, { id });
    const run = await this.orchestrator.get({ workflow: OrderWorkflow, key: id }).catch((error: unknown) => {
      if (error instanceof OrchestrateFlowError && error.code === 'OF_RUN_UNKNOWN') return null;
      throw error;
    });
    return { items: order?.items ?? null, status: run?.status ?? null };
  }

  @Get(':id/result')
  async result(@Param('id') id: string) {
    return { result: await this.orchestrator.result({ workflow: OrderWorkflow, key: id }, { timeout: '60s' }) };
  }
}

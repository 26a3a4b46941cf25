import { BadRequestException, Body, Controller, Get, Headers, HttpCode, HttpStatus, Param, Post } from '@nestjs/common';
import { Orchestrator } from 'orchestrate-flow';
import type { AuditEntry, ControlOptions } from 'orchestrate-flow';

import { SupportDto } from './dto/support.dto.js';
import { OrderWorkflow } from './order.workflow.js';

/** What support does by hand: who does it comes with the header `x-agent`, and stands in the audit log with the reason. */
@Controller('support/orders')
export class SupportController {
  constructor(private readonly orchestrator: Orchestrator) {}

  /** Every order that has failed goes on from what failed: a partner is back, say. */
  @Post('retry')
  @HttpCode(HttpStatus.OK)
  async retryAll(@Headers('x-agent') agent: string | undefined, @Body() dto: SupportDto) {
    const { count, refused } = await this.orchestrator.retryAll({ workflow: OrderWorkflow }, askedBy(agent, dto));
    return { count, refused: refused.map(({ runId, error }) => ({ runId, message: error.message })) };
  }

  @Post(':id/pause')
  @HttpCode(HttpStatus.NO_CONTENT)
  pause(@Param('id') id: string, @Headers('x-agent') agent: string | undefined, @Body() dto: SupportDto) {
    return this.orchestrator.pause(runOf(id), askedBy(agent, dto));
  }

  @Post(':id/resume')
  @HttpCode(HttpStatus.NO_CONTENT)
  resume(@Param('id') id: string, @Headers('x-agent') agent: string | undefined, @Body() dto: SupportDto) {
    return this.orchestrator.resume(runOf(id), askedBy(agent, dto));
  }

  @Post(':id/retry')
  @HttpCode(HttpStatus.NO_CONTENT)
  retry(@Param('id') id: string, @Headers('x-agent') agent: string | undefined, @Body() dto: SupportDto) {
    return this.orchestrator.retry(runOf(id), askedBy(agent, dto));
  }

  /** Who did what to an order, and why. */
  @Get(':id/log')
  async log(@Param('id') id: string): Promise<readonly AuditEntry[]> {
    return (await this.orchestrator.audit({ run: runOf(id) })).entries;
  }
}

function runOf(orderId: string) {
  return { workflow: OrderWorkflow, key: orderId };
}

function askedBy(agent: string | undefined, { reason }: SupportDto): ControlOptions {
  if (!agent) throw new BadRequestException('Say who you are: send the header x-agent.');
  return { by: agent, ...(reason === undefined ? {} : { reason }) };
}

import { AsyncLocalStorage } from 'node:async_hooks';

import { Inject, Injectable, Scope, UseInterceptors } from '@nestjs/common';
import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import { tap, type Observable } from 'rxjs';
import { type RunContext, Step, type StepContext, stepContextOf, Workflow } from 'orchestrate-flow';

export const spans: string[] = [];

export const tenants = new AsyncLocalStorage<string>(); // the app's own, which a middleware fills

/** OrchestrateFlowModule.forRoot({ context: tenantContext }) */
export const tenantContext: RunContext<string> = {
  capture: () => tenants.getStore(),
  restore: (tenant, step) => tenants.run(tenant, step),
};

@Injectable()
export class Spans implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const { workflow, step, attempt } = stepContextOf(context); // context.getType() is 'orchestrate-flow'
    return next.handle().pipe(tap(() => spans.push(`${workflow}.${step}#${attempt} for ${tenants.getStore()}`)));
  }
}

@Injectable({ scope: Scope.REQUEST })
export class Desk {
  readonly name: string;

  constructor(@Inject(REQUEST) { step }: StepContext) {
    this.name = `${tenants.getStore()}'s desk for ${step}`;
  }
}

@Workflow({ name: 'audit' })
@UseInterceptors(Spans)
export class AuditWorkflow {
  static readonly output = 'report';

  constructor(private readonly desk: Desk) {} // request-scoped: an instance for each attempt

  @Step()
  report(): string {
    return this.desk.name;
  }
}

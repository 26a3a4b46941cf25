import { Inject, Injectable, Scope, UseInterceptors } from '@nestjs/common';
import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import { map, type Observable } from 'rxjs';
import { Step, type StepContext, stepContextOf, Workflow } from 'orchestrate-flow';

@Injectable({ scope: Scope.REQUEST })
export class Clerk {
  constructor(@Inject(REQUEST) private readonly step: StepContext) {}

  sign(): string {
    return `signed at ${this.step.step}`;
  }
}

@Injectable()
export class Stamp implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<string> {
    return next.handle().pipe(map((text) => `${text}, stamped in ${stepContextOf(context).workflow}`));
  }
}

@Workflow({ name: 'receipt' })
export class ReceiptWorkflow {
  static readonly output = 'write';

  constructor(private readonly clerk: Clerk) {}

  @Step()
  @UseInterceptors(Stamp)
  write(): string {
    return this.clerk.sign();
  }
}

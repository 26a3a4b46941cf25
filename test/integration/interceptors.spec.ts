import { AsyncLocalStorage } from 'node:async_hooks';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  Inject,
  Injectable,
  Scope,
  SetMetadata,
  UseGuards,
  UseInterceptors,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { APP_INTERCEPTOR, ContextIdFactory, REQUEST, Reflector, type ContextId } from '@nestjs/core';
import { catchError, map, Observable, of, retry } from 'rxjs';
import {
  Compensate,
  Ctx,
  DefinitionError,
  Item,
  NonRetryableError,
  Result,
  Step,
  stepContextOf,
  Workflow,
  type Orchestrator,
  type StepContext,
} from 'orchestrate-flow';

import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { Gate } from '../support/gate.js';
import { startApp, type TestApp } from '../support/start-app.js';
import { waitFor } from '../support/wait-for.js';

/** What happened, in order. */
let log: string[] = [];
const gate = new Gate();
const tenant = new AsyncLocalStorage<string>();

@Injectable()
class Words {
  readonly greeting = 'hello';
}

@Injectable()
class Outer implements NestInterceptor {
  constructor(
    private readonly words: Words,
    private readonly reflector: Reflector,
  ) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const { step, attempt } = stepContextOf(context);
    const role = this.reflector.getAllAndOverride<string>('role', [context.getHandler(), context.getClass()]);
    log.push(
      `${this.words.greeting} ${context.getType()} ${step}#${attempt} as ${role} with ${context.getArgs<unknown[]>().join()}`,
    );
    return tenant.run('acme', () => next.handle());
  }
}

const tripled: NestInterceptor = {
  intercept: (_, next) => Promise.resolve(next.handle().pipe(map((value) => 3 * (value as number)))),
};

const rescued: NestInterceptor = {
  intercept: (_, next) => next.handle().pipe(catchError((error: Error) => of(`rescued from ${error.message}`))),
};

class Everywhere implements NestInterceptor {
  intercept(_: ExecutionContext, next: CallHandler): Observable<unknown> {
    log.push('global');
    return next.handle();
  }
}

@Workflow({ name: 'intercepted', retry: { attempts: 1 } })
@SetMetadata('role', 'anybody')
@UseInterceptors(Outer)
class Intercepted {
  static readonly output = 'last';
  @Step({ when: 'isWanted' }) first(): number {
    log.push(`first for ${tenant.getStore()}`);
    return 7;
  }
  isWanted(): boolean {
    log.push(`asked for ${tenant.getStore()}`);
    return true;
  }
  @Step()
  @UseInterceptors(tripled)
  @SetMetadata('role', 'boss')
  async second(@Result('first', { optional: true }) first: number | undefined): Promise<number> {
    await Promise.resolve();
    log.push(`second for ${tenant.getStore()}`);
    return first!;
  }
  @Step() @UseInterceptors(rescued) last(@Result('second') second: number): string {
    throw new Error(`${second}`);
  }
}

@Injectable({ scope: Scope.REQUEST })
class Ledger {
  static made = 0;
  readonly number = ++Ledger.made;
  constructor(@Inject(REQUEST) private readonly step: StepContext) {}
  note(): string {
    return `${this.step.step}#${this.step.attempt}`;
  }
}

@Injectable({ scope: Scope.REQUEST })
class Noting implements NestInterceptor {
  constructor(private readonly ledger: Ledger) {}
  intercept(_: ExecutionContext, next: CallHandler): Observable<unknown> {
    log.push(`noted ${this.ledger.note()} in ${this.ledger.number}`);
    return next.handle();
  }
}

@Workflow({ name: 'scoped', retry: { attempts: 2, delay: '1ms', jitter: 'none' } })
class Scoped {
  constructor(private readonly ledger: Ledger) {}
  @Step() @UseInterceptors(Noting) one(@Ctx() { attempt }: StepContext): number[] {
    log.push(`${this.ledger.note()} in ${this.ledger.number}`);
    if (attempt === 1) throw new Error('once more');
    return [1, 2];
  }
  @Step() item(@Item('one') item: number): void {
    log.push(`${this.ledger.note()} of ${item}`);
  }
  @Step({ when: 'isLast' }) fail(): void {
    throw new NonRetryableError('enough');
  }
  isLast(): boolean {
    log.push(`${this.ledger.note()} is asked`);
    return true;
  }
  @Compensate('one') undo(): void {
    log.push(`undo ${this.ledger.note()}`);
  }
}

/** Is made when the test lets it be. */
@Workflow({ name: 'late', retry: { attempts: 1 } })
class Late {
  constructor(@Inject('late') readonly made: string) {}
  @Step({ timeout: '20ms' }) one(): void {
    log.push('one has begun');
  }
}

@Workflow({ name: 'slow', retry: { attempts: 1 } })
@UseInterceptors(Outer)
class Slow {
  @Step({ timeout: '20ms' }) wait(): Promise<void> {
    return new Promise(() => {});
  }
}

@Workflow({ name: 'stubborn', retry: 1 })
class Stubborn {
  @Step({ timeout: '20ms' })
  @UseInterceptors({ intercept: (_, next) => next.handle().pipe(retry({ count: 50, delay: 5 })) })
  call(): void {
    log.push('called');
    throw new Error('no');
  }
}

@Workflow({ name: 'silent' })
class Silent {
  static readonly output = 'say';
  @Step() @UseInterceptors({ intercept: () => new Observable((it) => it.complete()) }) say(): number {
    return 1;
  }
}

@Workflow({ name: 'as-http', retry: { attempts: 1 } })
class AsHttp {
  @Step() @UseInterceptors({ intercept: (context) => context.switchToHttp().getRequest() }) say(): void {}
}

describe('the calls of steps', () => {
  let database: TestDatabase;
  let app: TestApp;
  let orchestrator: Orchestrator;

  beforeAll(async () => {
    database = await createDatabase();
    app = await startApp({
      database,
      providers: [
        ...[Intercepted, Scoped, Late, Stubborn, Slow, Silent, AsHttp, Words, Ledger],
        { provide: 'late', scope: Scope.REQUEST, useFactory: () => gate.pass() },
        { provide: APP_INTERCEPTOR, useClass: Everywhere },
      ],
    });
    orchestrator = app.orchestrator;
  });

  beforeEach(() => {
    log = [];
    Ledger.made = 0;
  });

  afterEach(() => {
    ContextIdFactory.apply(undefined as never);
  });

  afterAll(async () => {
    await app.close();
    await database.drop();
  });

  it('go through the interceptors of the class, then of the method, and through no global one', async () => {
    const run = await orchestrator.start(Intercepted);
    expect(await run.result()).toBe('rescued from 21');
    expect(log).toEqual([
      ...['hello orchestrate-flow first#1 as anybody with ', 'asked for acme'],
      ...['hello orchestrate-flow first#1 as anybody with ', 'first for acme'],
      ...['hello orchestrate-flow second#1 as boss with 7', 'second for acme'],
      'hello orchestrate-flow last#1 as anybody with 21',
    ]);
  });

  it('are ended by the timeout of the step also where interceptors are around it', async () => {
    const run = await orchestrator.start(Slow);
    await expect(run.result()).rejects.toMatchObject({ cause: { code: 'OF_STEP_TIMEOUT' } });
  });

  it('end with their attempt also where an interceptor would go on', async () => {
    const run = await orchestrator.start(Stubborn);
    await expect(run.result()).rejects.toMatchObject({ cause: { code: 'OF_STEP_TIMEOUT' } });
    const { length } = log;
    // Its next attempts would have come while this one runs.
    await orchestrator.execute(Silent);
    await orchestrator.start(Slow).then((slow) => slow.result().catch(() => undefined));
    expect(log.filter((line) => line === 'called').length).toBe(
      log.slice(0, length).filter((line) => line === 'called').length,
    );
  });

  it('give what comes last out of the interceptors, and nothing where nothing does', async () => {
    expect(await orchestrator.execute(Silent)).toBeUndefined();
  });

  it('are no requests, and say so to interceptors that take them for some', async () => {
    const run = await orchestrator.start(AsHttp);
    await expect(run.result()).rejects.toMatchObject({
      cause: {
        code: 'OF_ARGUMENT_INVALID',
        message: expect.stringContaining('Cannot give the HTTP request of step "say"'),
      },
    });
  });

  it('have an instance of their own where the workflow is request-scoped, with all that it injects', async () => {
    const run = await orchestrator.start(Scoped);
    await expect(run.result()).rejects.toThrow('enough');
    expect(log).toEqual([
      ...['noted one#1 in 1', 'one#1 in 1', 'noted one#2 in 2', 'one#2 in 2'],
      ...['item[0]#1 of 1', 'item[1]#1 of 2', 'fail#1 is asked', 'undo undo#1'],
    ]);
  });

  it('do not begin where the timeout has ended them while their instance was made', async () => {
    const run = await orchestrator.start(Late);
    await expect(run.result()).rejects.toMatchObject({ cause: { code: 'OF_STEP_TIMEOUT' } });
    gate.open();
    await waitFor('the outcome of the attempt has come', () => app.events.some(({ type }) => type === 'step.stale'));
    expect(log).toEqual([]);
  });

  it('share the durable providers that a strategy of the app gives them', async () => {
    const trees: unknown[] = [];
    ContextIdFactory.apply({
      attach(contextId: ContextId, request: StepContext) {
        trees.push(request.workflow);
        return { resolve: () => contextId, payload: { tenant: 'acme' } };
      },
    });
    const run = await orchestrator.start(Scoped);
    await expect(run.result()).rejects.toThrow('enough');
    expect(trees).toContain('scoped');
    expect(log).toContain('noted one#1 in 1');
  });
});

describe('what is bound to a workflow', () => {
  it('and cannot do anything there is said at boot', async () => {
    const database = await createDatabase();
    @Workflow({ name: 'guarded' })
    @UseGuards({ canActivate: () => false })
    class Guarded {
      @Step() @UseInterceptors(Outer) a(): void {}
    }
    const given = { provide: 'given', useFactory: () => new Guarded() };
    try {
      const started = startApp({ database, providers: [given] });
      await expect(started).rejects.toThrow(DefinitionError);
      await expect(started).rejects.toThrow(/Guarded: bears @UseGuards, which has no effect/);
      await expect(started).rejects.toThrow(
        /Guarded\.a: is bound to the interceptor Outer, which Nest makes for classes/,
      );
    } finally {
      await database.drop();
    }
  });
});

describe('stepContextOf()', () => {
  it('tells of steps alone', () => {
    const context = { getType: () => 'http' } as unknown as ExecutionContext;
    expect(() => stepContextOf(context)).toThrow("this call is of type 'http'");
  });
});

import type { NestInterceptor } from '@nestjs/common';
import { ContextIdFactory, ModuleRef, type ContextId, type DiscoveryService } from '@nestjs/core';
import type { Say } from './option-readers.js';
import type { StepContext } from './step-context.js';

/** How Nest holds the provider of a workflow. */
export type ProviderWrapper = ReturnType<DiscoveryService['getProviders']>[number];

/** What is called in one attempt: an instance of the workflow, through the interceptors that are bound to its method. */
export interface EnteredCall {
  readonly instance: object;
  /** In the order of their binding: those of the class first. */
  readonly interceptors: readonly NestInterceptor[];
}

/** Where the methods of a workflow are called otherwise than on its one instance, without anything around them. */
export interface CallHost {
  /** Whether this method is called so. */
  concerns(method: string): boolean;
  enter(method: string, context: StepContext): Promise<EnteredCall>;
}

type Bound = NestInterceptor | (new (...parameters: never[]) => NestInterceptor);

// Keys of Nest, under which @UseInterceptors and its like leave what they bind.
const INTERCEPTORS = '__interceptors__';
const WITHOUT_EFFECT: Readonly<Record<string, string>> = {
  __guards__: '@UseGuards',
  __pipes__: '@UsePipes',
  __exceptionFilters__: '@UseFilters',
};

/** What Nest does for the calls of one workflow: an instance for each where it is request-scoped, and interceptors. */
export class ProviderHost implements CallHost {
  private readonly ofMethods = new Map<string, readonly Bound[]>();

  constructor(
    private readonly wrapper: ProviderWrapper,
    private readonly target: { readonly prototype: object },
  ) {}

  /** Says what of its bindings Nest cannot do for a workflow. */
  check(methods: readonly string[], sayOf: (method: string | null) => Say): void {
    if (this.wrapper.isTransient)
      sayOf(null)('is transient. Use the default scope, or Scope.REQUEST for an instance of its own in each attempt.');
    for (const method of [null, ...methods]) {
      const say = sayOf(method);
      const bearer = method === null ? this.target : this.methodOf(method);
      for (const [key, decorator] of Object.entries(WITHOUT_EFFECT))
        if (readBound(key, bearer).length > 0)
          say(
            `bears ${decorator}, which has no effect on what no request calls. Use an interceptor, or do it in the step.`,
          );
      for (const bound of readBound(INTERCEPTORS, bearer)) this.checkInterceptor(bound, say);
    }
  }

  concerns(method: string): boolean {
    return this.isScoped || this.boundTo(method).length > 0;
  }

  async enter(method: string, context: StepContext): Promise<EnteredCall> {
    const bound = this.boundTo(method);
    if (!this.isScoped)
      return { instance: this.wrapper.instance as object, interceptors: bound.map((one) => this.find(one, null)) };
    const contextId = ContextIdFactory.getByRequest(context);
    const moduleRef = this.wrapper.host!.getProviderByKey(ModuleRef).instance;
    // As Nest does it for requests: what a strategy for durable providers gives is theirs, and others get it with the step's own.
    const { payload } = contextId;
    const isDurable = this.wrapper.isDependencyTreeDurable();
    const request = isDurable && contextId.getParent ? payload : { ...context, ...(payload as object | undefined) };
    moduleRef.registerRequestByContextId(request, contextId);
    const instance = await moduleRef.resolve<object>(this.wrapper.token as string, contextId);
    return { instance, interceptors: bound.map((one) => this.find(one, contextId)) };
  }

  private get isScoped(): boolean {
    return !this.wrapper.isDependencyTreeStatic();
  }

  private boundTo(method: string): readonly Bound[] {
    const known = this.ofMethods.get(method);
    if (known) return known;
    const bound = [...readBound(INTERCEPTORS, this.target), ...readBound(INTERCEPTORS, this.methodOf(method))];
    this.ofMethods.set(method, bound);
    return bound;
  }

  private methodOf(name: string): object | undefined {
    return (this.target.prototype as Record<string, object | undefined>)[name];
  }

  private checkInterceptor(bound: Bound, say: Say): void {
    if (typeof bound !== 'function') return;
    const found = this.wrapper.host?.injectables.get(bound);
    if (found === undefined)
      say(
        `is bound to the interceptor ${bound.name}, which Nest makes for classes among the providers, and here a factory or a value ` +
          'gives the workflow. Provide the class, or bind an instance.',
      );
    else if (found.isTransient)
      say(`is bound to the interceptor ${bound.name}, which is transient. Use its default scope, or bind an instance.`);
  }

  private find(bound: Bound, contextId: ContextId | null): NestInterceptor {
    if (typeof bound !== 'function') return bound;
    const found = this.wrapper.host!.injectables.get(bound)!;
    if (contextId === null || found.isDependencyTreeStatic()) return found.instance as NestInterceptor;
    const tree = { token: found.token, isTreeDurable: found.isDependencyTreeDurable() };
    return found.getInstanceByContextId(contextId.getParent?.(tree) ?? contextId).instance as NestInterceptor;
  }
}

function readBound(key: string, bearer: object | undefined): readonly Bound[] {
  return bearer === undefined ? [] : ((Reflect.getMetadata(key, bearer) as readonly Bound[] | undefined) ?? []);
}

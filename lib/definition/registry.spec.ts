import { Injectable, Module, Scope } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { describe, expect, it } from '@jest/globals';
import { loadDefinitions } from './definition-loader.js';
import { WorkflowExplorer, type DiscoveredWorkflow } from './explorer.js';
import { ProviderHost } from './provider-host.js';
import { WorkflowRegistry } from './registry.js';
import { Parallel, Step } from './step.decorator.js';
import { Workflow } from './workflow.decorator.js';

@Injectable()
class Stock {
  readonly name = 'stock';
}

@Injectable({ scope: Scope.REQUEST })
class CurrentUser {}

@Workflow({ name: 'order' })
class OrderWorkflow {
  constructor(readonly stock: Stock) {}
  @Step() reserve() {
    return this.stock.name;
  }
  @Parallel({ queue: 'mail' }) notify() {}
}

@Workflow({ name: 'made' })
class MadeWorkflow {
  constructor(readonly made: string) {}
  @Step() a() {}
}

@Workflow({ name: 'by-request' })
@Injectable({ scope: Scope.REQUEST })
class RequestWorkflow {
  @Step() a() {}
}

@Workflow({ name: 'transient' })
@Injectable({ scope: Scope.TRANSIENT })
class TransientWorkflow {
  @Step() a() {}
}

@Workflow({ name: 'by-dependency' })
class DependentWorkflow {
  constructor(readonly user: CurrentUser) {}
  @Step() a() {}
}

class PlainSubclass extends OrderWorkflow {}

@Module({ providers: [OrderWorkflow, Stock], exports: [OrderWorkflow] })
class OrderModule {}

async function explore(
  providers: NonNullable<Parameters<typeof Test.createTestingModule>[0]['providers']>,
): Promise<readonly DiscoveredWorkflow[]> {
  const module = await Test.createTestingModule({
    imports: [DiscoveryModule],
    providers: [WorkflowExplorer, ...providers],
  }).compile();
  return module.get(WorkflowExplorer).explore();
}

describe('the explorer', () => {
  it('finds providers that bear @Workflow, and no others', async () => {
    const found = await explore([OrderWorkflow, Stock, PlainSubclass, { provide: 'nothing', useValue: null }]);
    expect(found).toEqual([
      { target: OrderWorkflow, instance: expect.any(OrderWorkflow), host: expect.any(ProviderHost) },
    ]);
  });

  it('finds what factories and values give', async () => {
    @Workflow({ name: 'value' })
    class ValueWorkflow {}
    const found = await explore([
      { provide: 'made', useFactory: () => Promise.resolve(new MadeWorkflow('by hand')) },
      { provide: 'value', useValue: new ValueWorkflow() },
    ]);
    expect(found.map(({ target }) => target)).toEqual([MadeWorkflow, ValueWorkflow]);
    expect((found[0]!.instance as MadeWorkflow).made).toBe('by hand');
  });

  it('finds a class once, however often it is provided', async () => {
    @Module({ providers: [OrderWorkflow, Stock] })
    class OtherModule {}
    const module = await Test.createTestingModule({
      imports: [DiscoveryModule, OrderModule, OtherModule],
      providers: [WorkflowExplorer, { provide: 'alias', useExisting: OrderWorkflow }],
    }).compile();
    expect(module.get(WorkflowExplorer).explore()).toHaveLength(1);
  });

  it('finds what is made anew for each attempt, and says what cannot be', async () => {
    const found = await explore([RequestWorkflow, DependentWorkflow, CurrentUser]);
    expect(loadDefinitions(found).map(({ name, host }) => [name, host?.concerns('a')])).toEqual([
      ['by-request', true],
      ['by-dependency', true],
    ]);
    const transient = await explore([TransientWorkflow]);
    expect(() => loadDefinitions(transient)).toThrow('TransientWorkflow: is transient. Use the default scope');
  });
});

describe('the registry', () => {
  const instance = new OrderWorkflow(new Stock());
  const registry = new WorkflowRegistry();
  registry.fill(loadDefinitions([{ target: OrderWorkflow, instance, host: null }]));

  it('finds a workflow by class and by name', () => {
    const definition = registry.get(OrderWorkflow);
    expect(definition).toMatchObject({ name: 'order', target: OrderWorkflow, instance });
    expect(registry.get('order')).toBe(definition);
    expect(registry.getByName('order')).toBe(definition);
    expect(registry.findByName('order')).toBe(definition);
    expect(registry.all()).toEqual([definition]);
  });

  it('lists each queue once', () => {
    expect(registry.queues()).toEqual(['orchestrate-flow', 'mail']);
    expect(new WorkflowRegistry().queues()).toEqual([]);
  });

  it('suggests the name that was probably meant', () => {
    expect(registry.findByName('ordr')).toBeNull();
    expect(() => registry.get('ordr')).toThrow(
      expect.objectContaining({
        code: 'OF_WORKFLOW_UNKNOWN',
        message:
          'Cannot find workflow "ordr": this app has no workflow of that name. Did you mean "order"? Known workflows: "order".',
      }),
    );
  });

  it('says what a class lacks', () => {
    expect(() => registry.get(MadeWorkflow)).toThrow(
      'Cannot find workflow MadeWorkflow: no module provides it. Add MadeWorkflow to the `providers` of a module. Known workflows: "order".',
    );
    expect(() => registry.get(PlainSubclass)).toThrow(
      "Cannot find workflow PlainSubclass: the class bears no @Workflow of its own. Decorate it with @Workflow({ name: '…' }).",
    );
    expect(() => new WorkflowRegistry().get(undefined as never)).toThrow(
      /Cannot find workflow undefined.*Known workflows: none/,
    );
  });
});

import { Injectable } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import { findDataFaults, findWorkflowOptions } from './metadata.js';
import { ProviderHost, type ProviderWrapper } from './provider-host.js';
import type { WorkflowClass } from './workflow-class.js';

/** A provider whose class bears `@Workflow`, or that gives a class which `defineWorkflow()` has made. */
export interface DiscoveredWorkflow {
  readonly target: WorkflowClass;
  /** Of a request-scoped one what Nest has before any request: it bears the methods, and nothing is injected. */
  readonly instance: object;
  /** What Nest does for its calls. Null: it was made of data, and nothing is bound to it. */
  readonly host: ProviderHost | null;
}

/** Finds the workflows among the app's providers. Needs Nest's DiscoveryModule; call it once all providers exist. */
@Injectable()
export class WorkflowExplorer {
  constructor(private readonly discovery: DiscoveryService) {}

  /** The workflows of the app, each class once: where several modules provide it, the first provider counts. */
  explore(): readonly DiscoveredWorkflow[] {
    const found = new Map<WorkflowClass, DiscoveredWorkflow>();
    for (const wrapper of this.discovery.getProviders()) {
      const given = findDefined(wrapper);
      const target = given ?? findClass(wrapper);
      if (target === null || found.has(target) || findWorkflowOptions(target) === null) continue;
      const instance = given ? new given() : (wrapper.instance as object);
      found.set(target, { target, instance, host: given ? null : new ProviderHost(wrapper, target) });
    }
    return [...found.values()];
  }
}

/** The class itself, where a factory or a value gives one that was made of data: it injects nothing. */
function findDefined(wrapper: ProviderWrapper): (new () => object) | null {
  const instance: unknown = wrapper.instance;
  return findDataFaults(instance) === null ? null : (instance as new () => object);
}

/** The class of what the provider gives: of the instance, because a factory's metatype is the factory. */
function findClass(wrapper: ProviderWrapper): WorkflowClass | null {
  const { constructor } = (wrapper.instance ?? {}) as { readonly constructor?: unknown };
  return typeof constructor === 'function' ? (constructor as unknown as WorkflowClass) : null;
}

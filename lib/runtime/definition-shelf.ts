import { findFittingCode } from '../definition/fitting-code.js';
import type { WorkflowDefinition, WorkflowRegistry } from '../definition/registry.js';
import { indexGraph, type IndexedGraph } from '../engine/indexed-graph.js';
import type { WorkflowGraph } from '../engine/graph.js';
import { OrchestrateFlowError } from '../engine/errors.js';
import type { RunStore, StoredDefinition } from '../engine/ports.js';

/** A stored definition, and the code for it where this process has it. */
export interface ShelvedDefinition {
  readonly id: number;
  readonly graph: IndexedGraph;
  /** The workflow's code under the names of the graph, or null where this process lacks it or what one of the graph's steps needs. */
  readonly code: WorkflowDefinition | null;
}

/** The definitions that runs were started with: those of this build and, from the store, older and newer ones. */
export class DefinitionShelf {
  private readonly byId = new Map<number, ShelvedDefinition>();
  private readonly current = new Map<string, ShelvedDefinition>();

  constructor(
    private readonly registry: WorkflowRegistry,
    private readonly store: RunStore,
  ) {}

  /** Stores the definitions of this build and takes down what the store knows of the same workflows. */
  async fill(): Promise<void> {
    for (const definition of this.registry.all()) {
      const { name, hash, graph } = definition;
      const text = JSON.stringify(graph);
      const id = await this.store.registerDefinition({
        name,
        hash,
        version: graph.version,
        output: graph.output,
        graph: text,
      });
      this.current.set(name, this.put(id, graph, hash));
    }
    await this.refresh(this.registry.all().map(({ name }) => name));
  }

  /** The definition with which new runs of a workflow start. */
  currentOf(definition: WorkflowDefinition): ShelvedDefinition {
    const shelved = this.current.get(definition.name);
    if (!shelved) {
      throw new OrchestrateFlowError(
        'OF_STOPPED',
        `Cannot start workflow "${definition.name}": the module has not been initialized yet. Start runs from onApplicationBootstrap on.`,
      );
    }
    return shelved;
  }

  /** Definitions whose every step this process has code for: all that it may claim. */
  get runnableIds(): number[] {
    return [...this.byId.values()].filter(({ code }) => code !== null).map(({ id }) => id);
  }

  find(id: number): ShelvedDefinition | undefined {
    return this.byId.get(id);
  }

  /** A definition of a workflow, read from the store where this process has not met it. */
  async get(id: number, workflow: string): Promise<ShelvedDefinition> {
    if (!this.byId.has(id)) await this.refresh([workflow]);
    const shelved = this.byId.get(id);
    if (shelved) return shelved;
    throw new OrchestrateFlowError(
      'OF_STATE_CORRUPT',
      `Cannot read definition ${id} of workflow "${workflow}": the store has no such row. Restore it from a backup.`,
    );
  }

  private async refresh(workflows: readonly string[]): Promise<void> {
    const stored: readonly StoredDefinition[] = await this.store.loadDefinitions(workflows);
    for (const { id, graph, hash } of stored) {
      if (!this.byId.has(id)) this.put(id, JSON.parse(graph) as WorkflowGraph, hash);
    }
  }

  private put(id: number, graph: WorkflowGraph, hash: string): ShelvedDefinition {
    const code = this.registry.findByName(graph.workflow);
    const fitting = code && findFittingCode(code, graph, hash);
    const shelved = { id, graph: indexGraph(graph), code: fitting?.code ?? null };
    this.byId.set(id, shelved);
    return shelved;
  }
}

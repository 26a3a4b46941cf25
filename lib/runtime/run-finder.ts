import { show } from '../definition/option-readers.js';
import type { WorkflowRegistry } from '../definition/registry.js';
import type { WorkflowClass } from '../definition/workflow-class.js';
import type { PayloadCodec } from '../engine/codec.js';
import { OrchestrateFlowError } from '../engine/errors.js';
import { nodeOf } from '../engine/indexed-graph.js';
import { oneLine } from '../engine/one-line.js';
import type { RunArchive, RunRecordView } from '../engine/ports.js';
import { isEnded } from '../engine/words.js';
import type { DefinitionShelf } from './definition-shelf.js';
import type { ItemPages, ItemsOptions, ItemsPage } from './item-pages.js';
import type { AuditOptions, AuditPage, ListOptions, RunAddress } from './orchestrator-options.js';
import { toRunDetails, toStepDetails, type RunDetails, type RunPage, type StepDetails } from './run-details.js';
import { readAuditOptions, readListOptions, writeCursor } from './run-list.js';
import { assertKey, assertWorkflowName, invalid, isRunId, reading } from './start-options.js';

export interface RunFinderPorts {
  readonly registry: WorkflowRegistry;
  readonly shelf: DefinitionShelf;
  readonly archive: RunArchive;
  readonly items: ItemPages;
  readonly codec: PayloadCodec;
}

/** Finds runs by what callers call them, and shows them as they stand. */
export class RunFinder {
  /** @param connect asked anew by each step of the way: it throws once the app has shut down */
  constructor(private readonly connect: () => RunFinderPorts) {}

  async get(address: RunAddress): Promise<RunDetails> {
    const [run] = await this.show([await this.getRecord(address)]);
    return run!;
  }

  async list(written?: ListOptions): Promise<RunPage> {
    const { parent, ...options } = readListOptions(written, (workflow) => this.nameOf(workflow));
    const parentId = parent === undefined ? null : await this.parentOf(parent);
    const { runs, last } = await this.connect().archive.list({ ...options, parentId });
    return { runs: await this.show(runs), nextCursor: last && writeCursor(last) };
  }

  private async show(runs: readonly RunRecordView[]): Promise<RunDetails[]> {
    const { archive, codec } = this.connect();
    const open = runs.filter(({ status }) => !isEnded(status)).map(({ id }) => id);
    const blocks = await archive.findBlocked(open);
    return runs.map((run) => toRunDetails(run, codec, blocks));
  }

  /** A parent that is not there any more has children all the same. */
  private async parentOf(address: RunAddress): Promise<string> {
    return isRunId(address) ? address : (await this.getRecord(address)).id;
  }

  async audit(written?: AuditOptions): Promise<AuditPage> {
    const { run, ...options } = readAuditOptions(written, (workflow) => this.nameOf(workflow));
    const runId = run === undefined ? null : (await this.getRecord(run)).id;
    const found = await this.connect().archive.audit({ ...options, runId, limit: options.limit + 1 });
    const entries = found.slice(0, options.limit);
    return { entries, nextCursor: found.length > entries.length ? entries.at(-1)!.id : null };
  }

  async steps(address: RunAddress): Promise<StepDetails[]> {
    const { shelf, archive, items, codec } = this.connect();
    // The run is read again after its rows, until both speak of the same moment.
    for (let record = await this.getRecord(address); ;) {
      const definition = await shelf.get(record.definition, record.workflow);
      const rows = await archive.steps(record.id, record.generation);
      const again = await this.getRecord(record.id);
      if (again.updatedAt.getTime() === record.updatedAt.getTime() && again.state === record.state) {
        const fannedOut = rows.filter(({ stage }) => stage === 'expanded').map(({ name }) => name);
        const counts = await items.count(record, fannedOut);
        const { graph } = definition;
        const begun = rows.filter(({ name }) => nodeOf(graph, name).kind === 'child').map(({ name }) => name);
        const children = await archive.findChildren(record.id, begun);
        return toStepDetails(record, graph, rows, codec, { counts, children });
      }
      record = again;
    }
  }

  async items(address: RunAddress, step: string, options?: ItemsOptions): Promise<ItemsPage> {
    return this.connect().items.read(await this.getRecord(address), step, options);
  }

  /** The run that is meant. @throws OrchestrateFlowError `OF_RUN_UNKNOWN`, `OF_ARGUMENT_INVALID` */
  async getRecord(address: RunAddress): Promise<RunRecordView> {
    const { archive } = this.connect();
    if (typeof address === 'string') {
      const record = isRunId(address) ? await archive.find(address) : null;
      if (record) return record;
      throw new OrchestrateFlowError(
        'OF_RUN_UNKNOWN',
        `Cannot find run ${show(address)}: there is none with this id; one started in a transaction is there once that has committed. ` +
          'By key: { workflow, key }.',
      );
    }
    if (typeof address !== 'object' || address === null) {
      throw invalid(`Expected a run to be named by its id or by { workflow, key }, got ${show(address)}.`);
    }
    const { workflow, key } = reading('which run is meant', () => ({ workflow: address.workflow, key: address.key }));
    assertKey(key);
    const name = this.nameOf(workflow);
    const record = await archive.findByKey(name, key);
    if (record) return record;
    throw new OrchestrateFlowError(
      'OF_RUN_UNKNOWN',
      `Cannot find a run of workflow "${oneLine(name)}" with key "${oneLine(key)}": none was started with it, or its transaction has not committed.`,
    );
  }

  /** A name is taken as it is: a process may look at runs of workflows whose code it lacks. */
  nameOf(workflow: WorkflowClass | string): string {
    if (typeof workflow !== 'string') return this.connect().registry.get(workflow).name;
    assertWorkflowName(workflow);
    return workflow;
  }
}

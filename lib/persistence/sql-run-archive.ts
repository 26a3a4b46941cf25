import { unreadable } from './database-failure.js';
import { Brackets, In, LessThan, MoreThan, type DataSource, type SelectQueryBuilder } from 'typeorm';

import type {
  AuditEntry,
  AuditQuery,
  BlockedStepView,
  DefinitionInFlight,
  ItemCounts,
  ItemPage,
  ItemRecordView,
  RunArchive,
  RunPosition,
  RunQuery,
  RunRecordView,
  StepRecordView,
} from '../engine/ports.js';
import { nameOfItem, type StepPlace } from '../engine/indexed-graph.js';
import { doubted, staged } from '../engine/run-state.js';
import { OPEN_RUN_STATUSES } from '../engine/words.js';
import { WorkflowDefinitionRecord, WorkflowEvent, WorkflowRun, WorkflowStep } from './entities/index.js';
import { toFailure } from './records.js';

/** What callers look up, by TypeORM. Only the primary is read: a replica may not know yet what was just committed. */
export class SqlRunArchive implements RunArchive {
  constructor(private readonly dataSource: DataSource) {}

  async find(runId: string): Promise<RunRecordView | null> {
    return this.read(async (manager) => toView(await manager.findOneBy(WorkflowRun, { id: runId })));
  }

  async findByKey(workflow: string, key: string): Promise<RunRecordView | null> {
    return this.read(async (manager) => toView(await manager.findOneBy(WorkflowRun, { workflow, key })));
  }

  async list(query: RunQuery): Promise<{ runs: RunRecordView[]; last: RunPosition | null }> {
    return this.read(async (manager) => {
      const select = manager
        .createQueryBuilder(WorkflowRun, 'run')
        .addSelect('CAST(run.createdAt AS text)', 'position')
        .orderBy('run.createdAt', 'DESC')
        .addOrderBy('run.id', 'DESC')
        .limit(query.limit + 1);
      filter(select, query);
      const { entities, raw } = await select.getRawAndEntities<{ position: string }>();
      const isMore = entities.length > query.limit;
      const runs = entities.slice(0, query.limit).map((run) => toView(run)!);
      const last = runs.at(-1);
      return { runs, last: isMore && last ? { createdAt: raw[query.limit - 1]!.position, id: last.id } : null };
    });
  }

  async findChildren(runId: string, steps: readonly string[]): Promise<ReadonlyMap<string, string>> {
    if (steps.length === 0) return new Map();
    return this.read(async (manager) => {
      const where = { parentId: runId, parentStep: In(steps) };
      const select = { id: true, parentStep: true } as const;
      const children = await manager.find(WorkflowRun, { select, where, order: { createdAt: 'ASC' } });
      return new Map(children.map(({ id, parentStep }) => [parentStep!, id]));
    });
  }

  async audit({ runId, workflow, by, before, limit }: AuditQuery): Promise<AuditEntry[]> {
    return this.read(async (manager) => {
      const where = {
        ...(runId !== null && { runId }),
        ...(workflow !== null && { workflow }),
        ...(by !== null && { by }),
        ...(before !== null && { id: LessThan(before) }),
      };
      const entries = await manager.find(WorkflowEvent, { where, order: { id: 'DESC' }, take: limit });
      return entries.map(({ createdAt, ...entry }) => ({ ...entry, at: createdAt }));
    });
  }

  async definitionsInFlight(mostRunIds: number): Promise<DefinitionInFlight[]> {
    const open = { status: In(OPEN_RUN_STATUSES) };
    return this.read(async (manager) => {
      const counts = await manager
        .createQueryBuilder(WorkflowRun, 'run')
        .select('run.definition', 'id')
        .addSelect('CAST(count(*) AS integer)', 'count')
        .where(open)
        .groupBy('run.definition')
        .getRawMany<{ id: number; count: number }>();
      const definitions = await manager.find(WorkflowDefinitionRecord, {
        where: { id: In(counts.map(({ id }) => id)) },
        order: { name: 'ASC', id: 'ASC' },
      });
      const inFlight: DefinitionInFlight[] = [];
      for (const { id, name: workflow, version, hash, graph } of definitions) {
        const runs = await manager.find(WorkflowRun, {
          select: { id: true },
          where: { ...open, definition: id },
          order: { createdAt: 'ASC', id: 'ASC' },
          take: mostRunIds,
        });
        const { count } = counts.find((of) => of.id === id)!;
        inFlight.push({ workflow, version, hash, graph, count, runIds: runs.map((run) => run.id) });
      }
      return inFlight;
    });
  }

  async steps(runId: string, generation: number): Promise<StepRecordView[]> {
    return this.read(async (manager) => {
      const steps = await manager.findBy(WorkflowStep, { runId, generation, item: 0 });
      // Only an item of a fan-out has a row before it begins.
      return steps.map((step) => toStepView(step) as StepRecordView);
    });
  }

  async findBlocked(runIds: readonly string[]): Promise<BlockedStepView[]> {
    if (runIds.length === 0) return [];
    return this.read(async (manager) => {
      const steps = await manager.find(WorkflowStep, {
        where: { ...IN_DOUBT, runId: In([...runIds]) },
        order: { runId: 'ASC', startedAt: 'ASC', name: 'ASC', item: 'ASC' },
      });
      const first = steps.filter(({ runId }, index) => steps[index - 1]?.runId !== runId);
      return first.map(({ runId, name, item, errors }) => {
        return { runId, step: item === 0 ? name : nameOfItem(name, item - 1), error: errors!.at(-1)! };
      });
    });
  }

  async findStep(runId: string, generation: number, place: StepPlace): Promise<StepRecordView | null> {
    return this.read(async (manager) => {
      const step = await manager.findOneBy(WorkflowStep, { runId, generation, ...place, round: 0 });
      return step && step.status !== 'pending' ? (toStepView(step) as StepRecordView) : null;
    });
  }

  async items({ runId, generation, step, after, limit }: ItemPage): Promise<ItemRecordView[]> {
    return this.read(async (manager) => {
      const where = { runId, generation, name: step, item: MoreThan(after + 1) };
      const items = await manager.find(WorkflowStep, { where, order: { item: 'ASC' }, take: limit });
      return items.map((item) => ({ ...toStepView(item), index: item.item - 1, payload: item.payload! }));
    });
  }

  async countItems(runId: string, generation: number, name: string): Promise<ItemCounts> {
    return this.read(async (manager) => {
      const rows = await manager
        .createQueryBuilder(WorkflowStep, 'step')
        .select('step.status', 'status')
        .addSelect('CAST(count(*) AS integer)', 'items')
        .where({ runId, generation, name, item: MoreThan(0) })
        .groupBy('step.status')
        .getRawMany<{ status: string; items: number }>();
      const of = (...statuses: readonly string[]) =>
        rows.filter(({ status }) => statuses.includes(status)).reduce((sum, { items }) => sum + items, 0);
      const [completed, failed] = [of('completed'), of('failed', 'quarantined')];
      const total = rows.reduce((sum, { items }) => sum + items, 0);
      // What never began has ended with its fan-out.
      return { total, completed, failed, cancelled: total - completed - failed, pending: 0, running: 0 };
    });
  }

  private async read<T>(use: (manager: DataSource['manager']) => Promise<T>): Promise<T> {
    try {
      const runner = this.dataSource.createQueryRunner('master');
      try {
        return await use(runner.manager);
      } finally {
        await runner.release();
      }
    } catch (error) {
      throw unreadable(error);
    }
  }
}

/** Steps that wait for a person. */
const IN_DOUBT = { status: 'waiting', stage: 'in-doubt' } as const;

function toStepView({ stage, inDoubt, errors, ...step }: WorkflowStep) {
  return { ...step, ...staged(stage), ...doubted(inDoubt), errors: errors ?? [] };
}

function filter(
  select: SelectQueryBuilder<WorkflowRun>,
  { isBlocked, workflow, statuses, tags, tenant, parentId, from, to, after }: RunQuery,
): void {
  if (isBlocked) {
    const steps = select.subQuery().select('step.runId').from(WorkflowStep, 'step');
    select.andWhere(`run.id IN ${steps.where("step.stage = 'in-doubt' AND step.status = 'waiting'").getQuery()}`);
  }
  if (workflow !== null) select.andWhere('run.workflow = :workflow', { workflow });
  if (statuses !== null) select.andWhere('run.status IN (:...statuses)', { statuses });
  if (tags !== null) select.andWhere('run.tags @> CAST(:tags AS text[])', { tags });
  if (tenant !== null) select.andWhere('run.tenant = :tenant', { tenant });
  if (parentId !== null) select.andWhere('run.parentId = :parentId', { parentId });
  if (from !== null) select.andWhere('run.createdAt >= :from', { from });
  if (to !== null) select.andWhere('run.createdAt < :to', { to });
  if (after === null) return;
  select.andWhere(
    new Brackets((where) =>
      where.where('(run.createdAt, run.id) < (:createdAt::timestamptz, :id::uuid)', { ...after }),
    ),
  );
}

function toView(run: WorkflowRun | null): RunRecordView | null {
  return run && { ...run, tags: run.tags ?? [], failure: toFailure(run.failedStep, run.failure) };
}

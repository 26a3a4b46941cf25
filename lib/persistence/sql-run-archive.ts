import { unreadable } from './database-failure.js';
import { Brackets, In, LessThan, MoreThan, type DataSource, type SelectQueryBuilder } from 'typeorm';

import type {
  AuditEntry,
  AuditQuery,
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
import { doubted, repeated, staged } from '../engine/run-state.js';
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

function toStepView({ stage, inDoubt, rounds, errors, ...step }: WorkflowStep) {
  return { ...step, ...staged(stage), ...doubted(inDoubt), ...repeated(rounds), errors: errors ?? [] };
}

function filter(
  select: SelectQueryBuilder<WorkflowRun>,
  { workflow, statuses, tags, tenant, from, to, after }: RunQuery,
): void {
  if (workflow !== null) select.andWhere('run.workflow = :workflow', { workflow });
  if (statuses !== null) select.andWhere('run.status IN (:...statuses)', { statuses });
  if (tags !== null) select.andWhere('run.tags @> CAST(:tags AS text[])', { tags });
  if (tenant !== null) select.andWhere('run.tenant = :tenant', { tenant });
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

import {
  Inject,
  Logger,
  Module,
  type BeforeApplicationShutdown,
  type DynamicModule,
  type ModuleMetadata,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleDestroy,
  type OnModuleInit,
  type Provider,
} from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { DataSource } from 'typeorm';

import { declaredQueues } from './definition/declared-queues.js';
import { loadDefinitions } from './definition/definition-loader.js';
import { WorkflowExplorer } from './definition/explorer.js';
import { WorkflowRegistry } from './definition/registry.js';
import { DEFAULT_QUEUE } from './engine/graph.js';
import { computeGraphText } from './engine/graph-text.js';
import { EventHub } from './events/event-hub.js';
import { logEvents } from './events/log-subscriber.js';
import {
  resolveOptions,
  type OrchestrateFlowAsyncOptions,
  type OrchestrateFlowOptions,
  type ResolvedOptions,
} from './orchestrate-flow.options.js';
import {
  asyncOptions,
  BULL,
  BULL_PROVIDER,
  DATABASE,
  databaseProvider,
  OPTIONS,
  queueProvider,
  registerEntities,
  repositoryProvider,
  SUITABILITY_PROVIDER,
  TIMEOUTS,
  TIMEOUTS_PROVIDER,
  tokensOf,
} from './orchestrate-flow.providers.js';
import { JsonCodec } from './persistence/codec.js';
import { Committer } from './persistence/committer.js';
import type { Database } from './persistence/database.js';
import { ORCHESTRATE_FLOW_ENTITIES } from './persistence/entities/index.js';
import { SqlRunArchive } from './persistence/sql-run-archive.js';
import { SqlRunStore } from './persistence/sql-run-store.js';
import { SqlStepTransactions } from './persistence/sql-step-transactions.js';
import { SqlTransactionalStarts } from './persistence/sql-transactional-starts.js';
import { Bell } from './queue/bell.js';
import { BullQueues } from './queue/bull-queues.js';
import { StepProcessor } from './queue/step.processor.js';
import { checkDeploy, refuseBlocked } from './runtime/deploy-check.js';
import { FlowRuntime } from './runtime/flow-runtime.js';
import { Orchestrator } from './runtime/orchestrator.js';
import type { Timeouts } from './runtime/step-runner.js';
import { SYSTEM_CLOCK } from './runtime/system-clock.js';
import { within } from './runtime/within.js';

/** Milliseconds after boot at which an app without shutdown hooks is told: a standalone app turns them on after it has booted. */
const HOOKS_CHECK_MS = 5_000;

/** What shapes the module itself, before any provider exists. */
interface ModuleShape {
  readonly dataSource: string | DataSource | undefined;
  readonly queues: readonly string[];
  readonly isGlobal: boolean;
  readonly imports: ModuleMetadata['imports'];
  readonly options: Provider[];
}

/**
 * Durable workflows: finds the app's `@Workflow` providers, keeps their runs in its database, runs their steps, and provides
 * the `Orchestrator`.
 *
 * @example
 * \@Module({ imports: [TypeOrmModule.forRoot({ … autoLoadEntities: true }), OrchestrateFlowModule.forRoot()], providers: [OrderWorkflow] })
 *
 * @publicApi
 */
@Module({})
export class OrchestrateFlowModule
  implements OnModuleInit, OnApplicationBootstrap, OnModuleDestroy, BeforeApplicationShutdown, OnApplicationShutdown
{
  private readonly logger = new Logger('OrchestrateFlow');
  private processors: StepProcessor[] = [];
  private hooksCheck: NodeJS.Timeout | undefined;
  private leaving: Promise<void> | undefined;
  private opened: { runtime: FlowRuntime; committer: Committer; store: SqlRunStore; bell: Bell } | null = null;

  /** @internal */
  constructor(
    @Inject(OPTIONS) private readonly options: ResolvedOptions,
    @Inject(DATABASE) private readonly database: Database,
    @Inject(BULL) private readonly bull: BullQueues,
    @Inject(EventHub) private readonly events: EventHub,
    @Inject(WorkflowRegistry) private readonly registry: WorkflowRegistry,
    @Inject(WorkflowExplorer) private readonly explorer: WorkflowExplorer,
    @Inject(Orchestrator) private readonly orchestrator: Orchestrator,
    @Inject(TIMEOUTS) private readonly timeouts: Timeouts,
  ) {}

  /**
   * The module with its options, all of which have defaults.
   *
   * @throws OrchestrateFlowError `OF_OPTIONS_INVALID` with every fault
   */
  static async forRoot(options: OrchestrateFlowOptions = {}): Promise<DynamicModule> {
    const resolved = resolveOptions(options);
    return OrchestrateFlowModule.shape({
      dataSource: options.dataSource,
      queues: resolved.worker?.queues ?? [],
      isGlobal: options.isGlobal ?? true,
      imports: [],
      options: [{ provide: OPTIONS, useValue: resolved }],
    });
  }

  /** The module with options that other providers make. */
  static async forRootAsync(options: OrchestrateFlowAsyncOptions): Promise<DynamicModule> {
    return OrchestrateFlowModule.shape({
      dataSource: options.dataSource,
      queues: options.queues ?? [],
      isGlobal: options.isGlobal ?? true,
      imports: options.imports,
      options: asyncOptions(options),
    });
  }

  onModuleInit(): Promise<void> {
    return this.orLetGo(() => this.boot());
  }

  onApplicationBootstrap(): Promise<void> {
    return this.orLetGo(() => this.begin());
  }

  private async boot(): Promise<void> {
    logEvents(this.events, this.logger);
    const { home } = this.database;
    if (home) {
      const engine = home.engine === 'pglite' ? 'PGlite, for this process alone,' : 'embedded PostgreSQL';
      this.logger.warn(`Runs are kept in ${engine} in ${home.dataDir}. For production use a PostgreSQL server.`);
    }
    this.registry.fill(loadDefinitions(this.explorer.explore(), this.options.defaults));
    for (const { graph } of this.registry.all()) this.logger.log(computeGraphText(graph));
    this.orchestrator.connect(await this.open());
  }

  private async begin(): Promise<void> {
    this.bull.watch((fault) => this.events.announce({ type: 'queue.unsuitable', ...fault }));
    if (!this.options.worker || !this.opened || this.queues.length === 0) return;
    const pumps = await this.opened.runtime.work();
    this.processors = pumps.map((pump) => new StepProcessor(this.bull, pump));
    this.hooksCheck = setTimeout(() => this.warnWithoutShutdownHooks(), HOOKS_CHECK_MS).unref();
  }

  /** What runs in this process, from onModuleInit on. For tests. @internal */
  get runtime(): FlowRuntime | null {
    return this.opened?.runtime ?? null;
  }

  onModuleDestroy(): void {
    clearTimeout(this.hooksCheck);
    this.opened?.runtime.stopClaiming();
  }

  async beforeApplicationShutdown(): Promise<void> {
    if (!this.opened || !this.options.worker) return;
    // Bounded, as all that follows: a database that is away, or is there and answers nothing, must not keep the app from ending.
    await within(
      SYSTEM_CLOCK,
      this.options.leaseMs / 2,
      Promise.all(this.processors.map((processor) => processor.stop())),
    );
    await this.opened.runtime.drain(this.options.worker.shutdownTimeoutMs);
  }

  onApplicationShutdown(): Promise<void> {
    return this.letGo();
  }

  /** An app that does not boot is closed by nobody: what was opened for it would keep its process alive. */
  private async orLetGo(act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      await this.letGo();
      throw error;
    }
  }

  private letGo(): Promise<void> {
    return (this.leaving ??= this.close());
  }

  private async close(): Promise<void> {
    clearTimeout(this.hooksCheck);
    this.orchestrator.disconnect();
    const boundMs = this.options.leaseMs / 2;
    if (this.opened) {
      const { committer, bell } = this.opened;
      // What is not told is found by the others.
      await within(SYSTEM_CLOCK, boundMs, Promise.all([committer.settled(), bell.settled()]));
    }
    await within(SYSTEM_CLOCK, boundMs, this.bull.close());
    await within(SYSTEM_CLOCK, boundMs, Promise.all([this.opened?.committer.close(), this.opened?.store.close()]));
    await within(SYSTEM_CLOCK, this.options.leaseMs, this.database.close());
    this.events.complete();
  }

  private warnWithoutShutdownHooks(): void {
    if (process.listenerCount('SIGTERM') > 0 || process.env['NODE_ENV'] === 'test') return;
    this.logger.warn(
      'Shutdown hooks are off: on SIGTERM running steps are cut off and run again elsewhere. Call app.enableShutdownHooks().',
    );
  }

  private get queues(): readonly string[] {
    return this.options.worker?.queues ?? this.registry.queues();
  }

  private async open() {
    const { schema, leaseMs, worker, maxValueBytes, maxCrashes, context, retention } = this.options;
    const { connectionConfig: config, dataSource } = this.database;
    const store = new SqlRunStore(config, {
      schema,
      leaseMs,
      onUnavailable: (error) => this.events.announce({ type: 'worker.unguarded', error }),
    });
    const committer = new Committer(config, {
      schema,
      leaseMs,
      onHealth: (error) => this.events.announceDatabase(error),
    });
    const bell = new Bell(this.bull, (queue, error) => this.events.announceQueueFailure(queue, error));
    const archive = new SqlRunArchive(dataSource);
    const runtime = new FlowRuntime(
      {
        ...{ store, bell, door: committer, registry: this.registry, events: this.events },
        schedules: store.schedules,
        limits: store.limits,
        archive,
        transactions: new SqlTransactionalStarts(schema, this.database.isOwned ? null : dataSource),
        stepTransactions: new SqlStepTransactions(dataSource, {
          ...{ schema, leaseMs },
          onRefused: (error) => this.events.announcePoolFailure(error),
        }),
        codec: new JsonCodec({ maxBytes: maxValueBytes }),
        ...{ clock: SYSTEM_CLOCK, timeouts: this.timeouts, context },
      },
      { queues: worker ? this.queues : [], concurrency: worker?.concurrency ?? 0, leaseMs, maxCrashes, retention },
    );
    this.opened = { runtime, committer, store, bell };
    // Before anything of this build is written: its schedules would be in force, though it is not.
    if (this.options.blockedRuns === 'refuse') refuseBlocked(await checkDeploy(this.registry, archive));
    return runtime.open();
  }

  private static async shape({
    dataSource,
    queues,
    isGlobal,
    imports = [],
    options,
  }: ModuleShape): Promise<DynamicModule> {
    const name = typeof dataSource === 'string' ? dataSource : 'default';
    if (!(dataSource instanceof DataSource)) await registerEntities(name);
    const published = [...new Set([DEFAULT_QUEUE, ...declaredQueues(), ...queues])].map(queueProvider);
    const repositories = ORCHESTRATE_FLOW_ENTITIES.map((entity) => repositoryProvider(entity, name));
    return {
      module: OrchestrateFlowModule,
      global: isGlobal,
      imports: [DiscoveryModule, ...imports],
      providers: [
        ...options,
        SUITABILITY_PROVIDER,
        databaseProvider(name),
        BULL_PROVIDER,
        TIMEOUTS_PROVIDER,
        EventHub,
        WorkflowRegistry,
        WorkflowExplorer,
        Orchestrator,
        ...published,
        ...repositories,
      ],
      exports: [Orchestrator, ...tokensOf(published), ...tokensOf(repositories)],
    };
  }
}

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { openEmbeddedPostgres } from 'orchestrate-flow';

import { startPartners } from '../partners/partners.js';
import type { CleanUp } from './clean-up.js';
import { ShopProcess } from './shop-process.js';

/** All that the demo plays on: a database, the partners, the shop's web server and its worker. */
export class Stage {
  private constructor(
    readonly shopUrl: string,
    readonly ledgerFile: string,
    private readonly env: Readonly<Record<string, string>>,
    private readonly cleanUp: CleanUp,
    private readonly web: ShopProcess,
    private currentWorker: ShopProcess,
  ) {}

  static async open(cleanUp: CleanUp): Promise<Stage> {
    const folder = await mkdtemp(join(tmpdir(), 'shop-demo-'));
    cleanUp.add(() => rm(folder, { recursive: true, force: true }));
    const database = await openEmbeddedPostgres({ dataDir: join(folder, 'database') });
    cleanUp.add(() => database.stop());
    const ledgerFile = join(folder, 'ledger.jsonl');
    const partners = await startPartners({ ledgerFile });
    cleanUp.add(() => partners.close());

    const { host, port, user, database: name } = database.connection;
    const env = {
      DATABASE_URL: '',
      PGHOST: host,
      PGPORT: String(port),
      PGUSER: user,
      PGDATABASE: name,
      PAYMENT_PROVIDER_URL: partners.paymentProvider.url,
      CARRIER_URL: partners.carrier.url,
      PORT: '0',
    };
    const web = startProcess('web', env, cleanUp);
    const worker = startProcess('worker', env, cleanUp);
    const [shopUrl] = await Promise.all([web.ready(), worker.ready()]);
    return new Stage(shopUrl, ledgerFile, env, cleanUp, web, worker);
  }

  get worker(): ShopProcess {
    return this.currentWorker;
  }

  lastLogLines(): string {
    return `— web —\n${this.web.lastLogLines()}\n— worker —\n${this.currentWorker.lastLogLines()}`;
  }

  startWorkerAgain(): ShopProcess {
    this.currentWorker = startProcess('worker', this.env, this.cleanUp);
    return this.currentWorker;
  }
}

function startProcess(role: 'web' | 'worker', env: Readonly<Record<string, string>>, cleanUp: CleanUp): ShopProcess {
  const child = ShopProcess.start(role, env);
  cleanUp.add(() => child.kill());
  return child;
}

import { Input, type Orchestrator, Step, Workflow } from 'orchestrate-flow';

export class Site {
  url!: string;
}

@Workflow({ name: 'crawl', maxRuns: { total: 20, perTenant: 2 } })
export class CrawlWorkflow {
  static readonly input = Site;
  static open: () => Promise<void> = async () => {};

  @Step()
  async load(@Input() _site: Site): Promise<void> {
    await CrawlWorkflow.open();
  }
}

export async function crawlFor(orchestrator: Orchestrator, tenant: string, sites: string[]): Promise<string[]> {
  const runs = await orchestrator.startMany(
    CrawlWorkflow,
    sites.map((url) => ({ input: { url }, tenant })),
  );
  const details = await Promise.all(runs.map(({ id }) => orchestrator.get(id)));
  return details.map(({ status, waitsFor }) => (waitsFor === 'limit' ? 'waits for its turn' : status));
}

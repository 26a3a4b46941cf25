import { type DefinedWorkflow, defineWorkflow, type WorkflowData } from 'orchestrate-flow';

export class Archive {
  readonly rows: unknown[] = [];
}

const graph = {
  output: 'total',
  steps: [
    { name: 'fetch', retry: 5, timeout: '30s' },
    { name: 'check', parallel: true, results: ['fetch'] },
    { name: 'translate', parallel: true, results: ['fetch'], when: 'isForeign' },
    { name: 'settle', sleep: '1h' },
    { name: 'total', results: ['check', { step: 'translate', optional: true }] },
    { name: 'discard', compensates: 'fetch' },
  ],
} as const satisfies WorkflowData;

// A class like one with @Workflow: `providers: [ImportWorkflow]`, `orchestrator.start(ImportWorkflow, { rows: 3 })`.
export const ImportWorkflow = defineWorkflow('import', graph, {
  fetch: ({ input }: { input: { rows: number; language?: string } }) =>
    Array.from({ length: input.rows }, (_, row) => row),
  check: ({ results }) => (results['fetch'] as number[]).length,
  isForeign: ({ input }: { input: { language?: string } }) => input.language !== undefined,
  translate: ({ results }) => (results['fetch'] as number[]).map((row) => `row ${row}`),
  total: ({ results }) => `${String(results['check'])} rows, translated: ${String(results['translate'])}`,
  discard: () => undefined,
});

// Many steps of one function, from a text: `after` gives them their results, too.
const text = `{ "output": "c", "order": "explicit", "steps": [
  { "name": "a", "handler": "task", "after": [] },
  { "name": "b", "handler": "task", "after": [] },
  { "name": "c", "handler": "task", "after": ["a", "b"] } ] }`;

export const pipelineProvider = {
  provide: 'pipeline',
  inject: [Archive],
  useFactory: ({ rows }: Archive): DefinedWorkflow<WorkflowData, object, object> =>
    defineWorkflow('pipeline', JSON.parse(text) as WorkflowData, {
      task: ({ ctx, results }) => {
        const row = `${ctx.step} of (${Object.values(results).join()})`;
        rows.push(row);
        return row;
      },
    }),
};

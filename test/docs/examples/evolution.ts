import { type Orchestrator, Result, Sleep, Step, Workflow } from 'orchestrate-flow';

@Workflow({ name: 'survey' })
export class SurveyWorkflow {
  static readonly output = 'evaluate';

  @Step({ renamedFrom: 'send' }) // runs that an earlier build started have it as `send`, and go on
  invite(): string {
    return 'invited';
  }

  @Sleep('3d') patience!: void;

  @Step({ renamedFrom: ['count', 'sum'] })
  evaluate(@Result('invite') invited: string): string {
    return `${invited}, and evaluated`;
  }
}

/** Before a deploy, in a process with `worker: false`: what does this build mean for the runs that have not ended? */
export async function report(orchestrator: Orchestrator): Promise<string[]> {
  const { isSafe, runs } = await orchestrator.checkDeploy();
  if (!isSafe) process.exitCode = 1; // some are blocked: they would wait for a build that has what they need
  return runs.map(({ workflow, count, verdict, reason }) =>
    `${count} of ${workflow}: ${verdict} ${reason ?? ''}`.trim(),
  );
}

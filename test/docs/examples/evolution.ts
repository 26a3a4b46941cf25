import { Result, Sleep, Step, Workflow } from 'orchestrate-flow';

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

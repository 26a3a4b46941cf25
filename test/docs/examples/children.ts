import {
  Child,
  child,
  Compensate,
  Input,
  Item,
  type Orchestrator,
  Result,
  Results,
  Step,
  Workflow,
} from 'orchestrate-flow';

export class Leg {
  from!: string;
  to!: string;
}

export class Journey {
  customer!: string;
  legs!: Leg[];
}

export class Airline {
  readonly log: string[] = [];

  book({ from, to }: Leg): string {
    if (to === 'nowhere') throw new Error('No flights there.');
    this.log.push(`book ${from}-${to}`);
    return `seat ${from}-${to}`;
  }

  cancel(seat: string): void {
    this.log.push(`cancel ${seat}`);
  }
}

@Workflow({ name: 'flight' })
export class FlightWorkflow {
  static readonly input = Leg;
  static readonly output = 'book';

  constructor(private readonly airline: Airline) {}

  @Step({ retry: 1 })
  book(@Input() leg: Leg): string {
    return this.airline.book(leg);
  }
}

@Workflow({ name: 'insurance' })
export class InsuranceWorkflow {
  static readonly output = 'insure';

  @Step()
  insure(): string {
    return 'insured';
  }
}

@Workflow({ name: 'journey', deadline: '1h' })
export class JourneyWorkflow {
  static readonly input = Journey;
  static readonly output = 'confirm';

  constructor(private readonly airline: Airline) {}

  @Child({ maxItems: 5 }) // a run of FlightWorkflow for each leg, five at once
  flights(@Item('input.legs') leg: Leg) {
    return child(FlightWorkflow, leg);
  }

  @Child({ onFailure: 'continue' }) // its result is the output of the run: here a string
  insurance() {
    return child(InsuranceWorkflow);
  }

  @Compensate('flights') // what the children have done: one that fails or is cancelled has undone itself
  cancelFlights(@Results('flights') seats: string[]): void {
    for (const seat of seats) this.airline.cancel(seat);
  }

  @Child() // nobody waits for it: it gives { runId }
  remind(@Input() { legs }: Journey) {
    return child(FlightWorkflow, legs[0]!, { detached: true, delay: '30d', tags: ['reminder'] });
  }

  @Step()
  confirm(
    @Results('flights') seats: string[],
    @Result('insurance', { optional: true }) insurance: string | undefined,
  ): string {
    return `${seats.join(', ')}; ${insurance ?? 'not insured'}`;
  }
}

/** The tree of a run, from above and from below. */
export async function findFamily(orchestrator: Orchestrator, runId: string): Promise<string> {
  const { runs } = await orchestrator.list({ parent: runId, status: 'completed' });
  const [flight] = (await orchestrator.items(runId, 'flights')).items;
  const { parent } = await orchestrator.get(flight!.childRunId!);
  return `${runs.length} have completed; the first is of ${parent!.step}`;
}

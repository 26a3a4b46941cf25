import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createTestingFlow, type TestingFlow } from 'orchestrate-flow/testing';

import {
  ClaimWorkflow,
  DeliveryWorkflow,
  drop,
  EmergencyWorkflow,
  HearingWorkflow,
  MailingWorkflow,
  Office,
  TenderWorkflow,
} from './examples/patterns.js';

describe('the examples of docs/patterns.md', () => {
  let flow: TestingFlow;
  const office = new Office();
  const claim = (id: string, amount = 100, witnesses: string[] = []) => ({ id, amount, witnesses });

  beforeAll(async () => {
    flow = await createTestingFlow({
      workflows: [ClaimWorkflow, EmergencyWorkflow, HearingWorkflow, TenderWorkflow, DeliveryWorkflow, MailingWorkflow],
      providers: [{ provide: Office, useValue: office }],
      now: new Date('2026-01-01'),
    });
  });

  beforeEach(() => {
    office.log.length = 0;
  });

  afterAll(() => flow.close());

  it.each([
    [100, 'pay by card'],
    [5_000, 'pay by bank'],
  ])('1 to 5: a claim of %i is checked on two sides, and %s', async (amount, payment) => {
    const run = await flow.orchestrator.start(ClaimWorkflow, claim('a', amount));
    expect(await flow.result(run)).toBe(`archive what was paid: ${payment}`);
    expect(office.log[0]).toBe('register');
    expect(office.log.slice(1, 3).sort()).toEqual(['check damage', 'check policy']);
    expect(office.log.slice(3)).toEqual([
      'assess after check damage and check policy',
      payment,
      `archive what was paid: ${payment}`,
    ]);
  });

  it.each([
    ['fire', 'engine', ['engine', 'bill the engine']],
    ['fire and hurt', 'engine and ambulance', ['engine', 'ambulance', 'bill the engine', 'bill the ambulance']],
    ['nothing', '', []],
  ])('6 to 8: in an emergency with %s there comes %s', async (id, report, done) => {
    const run = await flow.orchestrator.start(EmergencyWorkflow, claim(id));
    expect(await flow.result(run)).toBe(report);
    await flow.drain();
    expect(office.log.toSorted()).toEqual(done.toSorted());
  });

  it('9: two of three offers decide, and the third is waited for no longer', async () => {
    const run = await flow.orchestrator.start(TenderWorkflow, claim('a'));
    await run.signal('eve', { text: '30' });
    await run.signal('ann', { text: '20' });
    expect(await flow.result(run)).toBe('20 or 30');
    expect(await flow.stepsOf(run.id)).toMatchObject({ askBob: { status: 'cancelled' } });
  });

  it('11 to 14: invitations go their own ways, and the run ends when all that it said is done', async () => {
    const run = await flow.orchestrator.start(MailingWorkflow, claim('a', 1, ['hurt Ann', 'Bob']));
    await flow.result(run);
    await flow.drain();
    expect(office.log.toSorted()).toEqual([
      ...['ambulance', 'bill the ambulance', 'one for them', 'one for us', 'thank Bob', 'thank hurt Ann'],
    ]);
  });

  it('16 and 17: witnesses are heard one at a time, and what comes first decides', async () => {
    const settled = await flow.orchestrator.start(HearingWorkflow, claim('a', 1, ['Ann', 'Bob', 'Eve']));
    await settled.signal('settled', { text: 'for 20' });
    await settled.signal('heard', { text: 'too late' });
    expect(await flow.result(settled)).toBe('3 heard, settled: for 20');
    expect(office.log.slice(0, 6)).toEqual([
      ...['Ann comes', 'Ann goes', 'Bob comes', 'Bob goes', 'Eve comes', 'Eve goes'],
    ]);
    const silent = await flow.orchestrator.start(HearingWorkflow, claim('b'));
    await flow.advance('30d');
    expect(await flow.result(silent)).toBe('0 heard, and nobody came');
  });

  it('18 and 19: an address can be changed until the parcel leaves, and the parcel called back until it arrives', async () => {
    const changed = await flow.orchestrator.start(DeliveryWorkflow);
    await changed.signal('address', { text: 'the garden' });
    await flow.drain();
    await changed.signal('withdraw', { text: '' });
    await flow.result(changed);
    expect(office.log).toEqual(['deliver to the garden', 'leave for the new address', 'withdraw', 'turn back']);
    expect(await flow.stepsOf(changed.id)).toMatchObject({
      packing: { status: 'cancelled' },
      travel: { status: 'cancelled' },
    });

    office.log.length = 0;
    const plain = await flow.orchestrator.start(DeliveryWorkflow);
    await flow.advance('9d');
    await flow.result(plain);
    expect(office.log).toEqual(['leave', 'arrive']);
    expect(await flow.stepsOf(plain.id)).toMatchObject({ changeAddress: { status: 'cancelled' } });
  });

  it('20: a claim that is withdrawn is dropped', async () => {
    const run = await flow.orchestrator.start(HearingWorkflow, claim('a'));
    await flow.drain();
    await drop(flow.orchestrator, run.id);
    await expect(run.result()).rejects.toMatchObject({ reason: 'the claim was withdrawn' });
  });
});

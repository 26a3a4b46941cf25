import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createTestingFlow, TestingFlow } from 'orchestrate-flow/testing';

import { createDatabase, type TestDatabase } from '../support/create-database.js';
import { startApp } from '../support/start-app.js';

const NODE_ENV = process.env['NODE_ENV'];

let database: TestDatabase;

beforeEach(async () => {
  database = await createDatabase();
});

afterEach(async () => {
  process.env['NODE_ENV'] = NODE_ENV;
  await database.drop();
});

describe('virtual time', () => {
  it('is refused in production', async () => {
    process.env['NODE_ENV'] = 'production';
    const refused = createTestingFlow({ workflows: [], url: database.url });
    await expect(refused).rejects.toMatchObject({ code: 'OF_TEST_SETUP' });
  });

  it('is not found in an app that lives in real time', async () => {
    const app = await startApp({ database, worker: false });
    expect(() => TestingFlow.of(app.context)).toThrow(expect.objectContaining({ code: 'OF_TEST_SETUP' }));
    await app.close();
  });
});

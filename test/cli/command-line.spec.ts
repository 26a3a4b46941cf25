import { describe, expect, it } from '@jest/globals';

import { VERSION } from '../../lib/engine/version.js';
import { runCli } from '../support/run-cli.js';

const SECRET = 'hunter2';

describe('the command line', () => {
  it('says its version, and how each command is called', async () => {
    expect(await runCli(['--version'])).toEqual({ code: 0, printed: VERSION, noted: '' });
    const all = await runCli(['--help']);
    expect(all.code).toBe(0);
    for (const name of ['migrate up', 'migrate down', 'migrate status', 'migrate sql', 'doctor']) {
      expect(all.printed).toContain(`  ${name} `);
      const one = await runCli([...name.split(' '), '--help']);
      expect(one.printed).toContain(`Usage: orchestrate-flow ${name} [options]`);
    }
    expect((await runCli(['migrate', 'sql', '-h'])).printed).not.toContain('--steps');
  });

  it.each([
    [[], 'Expected a command.'],
    [['migrate'], 'There is no command "migrate".'],
    [['migrate', 'sideways'], 'There is no command "migrate sideways".'],
    [['migrate', 'up', '--stepz'], "Unknown option '--stepz'."],
    [['migrate', 'up', '--steps', '2'], '`migrate up` takes no --steps.'],
    [['migrate', 'down', '--steps', '-1'], '--steps'],
    [['migrate', 'down', '--steps', '0'], 'Expected --steps to be a whole number from 1 on, got "0".'],
    [['migrate', 'up', '--schema', 'a"b'], 'Expected --schema to be a lower-case PostgreSQL identifier'],
    [['migrate', 'up', '--queue', 'kafka'], 'Expected --queue to be "postgres" or "redis", got "kafka".'],
    [['migrate', 'up', '--url'], '--url'],
    [['migrate', 'up', '--url', 'postgres://a/b', '--data-source', 'x.js'], 'got both of them'],
    [['migrate', 'up', '--data-source', './data-source.ts'], 'TypeScript is not compiled here'],
    [['migrate', 'up', '--data-source', './nowhere.js'], 'Cannot load ./nowhere.js'],
    [['migrate', 'up'], 'Cannot tell which database is meant.'],
  ])('ends with 2 where it is wrong: %j', async (args, message) => {
    const { code, printed, noted } = await runCli(args);
    expect({ code, printed }).toEqual({ code: 2, printed: '' });
    expect(noted).toContain(message);
    expect(noted).toContain('--help');
  });

  it('answers a wrong line in JSON where that was asked for', async () => {
    const { code, printed } = await runCli(['migrate', 'up', '--json']);
    expect(code).toBe(2);
    expect(JSON.parse(printed)).toMatchObject({ error: { code: 'usage' } });
  });

  it('shows no secret, wherever it was written', async () => {
    const url = `postgres://ada:${SECRET}@127.0.0.1:1/shop`;
    const lines = [
      ['migrate', 'up', '--url', url],
      ['migrate', 'up', '--url', `postgres://ada:${SECRET}@[/shop`],
      ['migrate', url],
      ['migrate', 'status', `--ur=${url}`],
      ['doctor', '--url', url],
      ['doctor', '--redis', `redis://:${SECRET}@127.0.0.1:1`],
    ];
    for (const line of lines) {
      const { code, printed, noted } = await runCli([...line]);
      expect(code).not.toBe(0);
      expect(printed + noted).not.toBe('');
      expect(printed + noted).not.toContain(SECRET);
    }
  });
});

import { readFileSync } from 'node:fs';

import { describe, expect, it } from '@jest/globals';

import { isAtLeast, VERSION } from './version.js';

describe('the version', () => {
  it('is that of package.json', () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    expect(VERSION).toBe(version);
  });

  it.each([
    ['1.2.3', '1.2.3', true],
    ['1.10.0', '1.9.9', true],
    ['2.0.0', '1.99.99', true],
    ['1.2.3', '1.2.4', false],
    ['0.9.0', '0.10.0', false],
    ['1.2.3-beta.1', '1.2.3', true],
  ])('%s is at least %s: %s', (version, least, expected) => {
    expect(isAtLeast(version, least)).toBe(expected);
  });

  it('is not read out of anything else', () => {
    expect(() => isAtLeast('newest', '1.0.0')).toThrow('Expected a version like 1.2.3, got "newest".');
  });
});

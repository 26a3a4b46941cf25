import { describe, expect, it } from '@jest/globals';
import { findNearMiss, list, suggest } from './near-miss.js';

describe('the near miss of a word', () => {
  it.each([
    ['chrge', 'charge'],
    ['Charge', 'charge'],
    ['printlabel', 'printLabel'],
    ['shpi', null],
    ['refund', null],
    ['', null],
  ])('of "%s" is %s', (word, near) => {
    expect(findNearMiss(word, ['charge', 'ship', 'printLabel'])).toBe(near);
  });

  it('is the nearest of several', () => {
    expect(findNearMiss('charges', ['charger5', 'charge'])).toBe('charge');
  });

  it('is suggested for texts only', () => {
    expect(suggest(5, ['5'])).toBe('');
    expect(suggest('shop', ['ship'])).toBe(' Did you mean "ship"?');
  });
});

describe('a list of words', () => {
  it('is cut after twenty', () => {
    const words = Array.from({ length: 22 }, (_, index) => `w${index}`);
    expect(list(words)).toMatch(/"w19", 2 more$/);
    expect(list([])).toBe('none');
  });
});

import { describe, expect, it } from '@jest/globals';

import { runWrite } from '../../test/support/commit-drafts.js';
import { commitParameters } from './commit-statement.js';

describe('the parameters of a commit', () => {
  it('name the runs in the order of their ids, whatever order they come in', () => {
    const write = (id: string) => runWrite({ id, definition: 1, revision: 0 });
    const [ids] = commitParameters(['c', 'a', 'd', 'b'].map(write), []);
    expect(ids).toEqual(['a', 'b', 'c', 'd']);
  });
});

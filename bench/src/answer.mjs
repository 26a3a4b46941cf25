/** What every step of every system returns: about 100 bytes as JSON. */
export const answer = Object.freeze({
  id: '0192f0c4-7e1a-7cc3-98c4-dc0c0c07398f',
  state: 'reserved',
  note: 'x'.repeat(30),
});

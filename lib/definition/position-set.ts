const BITS = 32;

/** A set of positions as bits: the ancestors of a thousand steps are a thousand of these, made in milliseconds. */
export class PositionSet {
  private readonly words: Uint32Array;

  constructor(size: number) {
    this.words = new Uint32Array(Math.ceil(size / BITS));
  }

  has(position: number): boolean {
    return ((this.words[Math.floor(position / BITS)] ?? 0) & (1 << (position % BITS))) !== 0;
  }

  add(position: number): void {
    this.words[Math.floor(position / BITS)]! |= 1 << (position % BITS);
  }

  addAll(other: PositionSet): void {
    this.words.forEach((word, index) => {
      this.words[index] = word | (other.words[index] ?? 0);
    });
  }
}

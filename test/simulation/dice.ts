/** Chance from a seed: the same seed gives the same numbers. The generator is sfc32, seeded by splitmix32. */
export class Dice {
  private a: number;
  private b: number;
  private c: number;
  private counter = 1;

  constructor(seed: number) {
    let state = seed | 0;
    const next = () => {
      state = (state + 0x9e3779b9) | 0;
      const once = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
      const twice = Math.imul(once ^ (once >>> 15), 0x735a2d97);
      return twice ^ (twice >>> 15);
    };
    [this.a, this.b, this.c] = [next(), next(), next()];
    for (let n = 0; n < 12; n++) this.next();
  }

  /** In [0, 1). */
  next(): number {
    const sum = (this.a + this.b + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = ((this.c << 21) | (this.c >>> 11)) + sum;
    return (sum >>> 0) / 4_294_967_296;
  }

  /** A whole number from `least` to `most`, both included. */
  int(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1));
  }

  /** True so often in one. */
  chance(share: number): boolean {
    return this.next() < share;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.int(0, list.length - 1)]!;
  }

  /** Each of the list with this chance, at least one. */
  some<T>(list: readonly T[], share: number): T[] {
    const picked = list.filter(() => this.chance(share));
    return picked.length > 0 ? picked : [this.pick(list)];
  }

  /** Milliseconds: mostly short, sometimes near the most. */
  delay(most: number): number {
    return this.next() ** 3 * most;
  }

  /** Other dice, whose throws do not depend on how often these are thrown afterwards. */
  fork(): Dice {
    return new Dice(Math.floor(this.next() * 4_294_967_296));
  }
}

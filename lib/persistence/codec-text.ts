import { TAG_KEY } from './codec-plain.js';

/** What tagged text begins with, and plain JSON never does. */
export const TAGGED_PREFIX = '~';

/**
 * The text of a value while it is written: JSON, in which `{"$":"Date","v":"2026-…"}` stands for what JSON has no word
 * for.
 */
export class PayloadText {
  private text = '';
  private tagged = false;

  /** Characters so far: no more than the bytes they take. */
  get length(): number {
    return this.text.length;
  }

  /** Text that is JSON already, or a piece of it. */
  raw(json: string): void {
    this.text += json;
  }

  /** JSON.stringify escapes NUL and lone surrogates: they are in the value, never in the text. */
  string(value: string): void {
    this.text += JSON.stringify(value);
  }

  /** A value that its type and a word make up. */
  tag(type: string, word: string | null): void {
    this.wrap(type, () => this.raw(JSON.stringify(word)));
  }

  /** A value that its type and further values make up. */
  wrap(type: string, content: () => void): void {
    this.tagged = true;
    this.text += `{"${TAG_KEY}":"${type}","v":`;
    content();
    this.text += '}';
  }

  /** Separates items and fields. */
  comma(index: number): void {
    if (index > 0) this.text += ',';
  }

  toString(): string {
    return this.tagged ? TAGGED_PREFIX + this.text : this.text;
  }
}

/**
 * Turns the values that flow through a run into text and back: JSON plus Date, BigInt, undefined, Map, Set, Uint8Array
 * and Error. A port: the runtime knows no more of it than this.
 */
export interface PayloadCodec {
  /**
   * The text of a value. The text holds neither NUL nor lone surrogates.
   *
   * @param what names the value in the error, as in `the result of step "charge"`
   * @throws ValueNotStorableError with the path of what cannot be stored, or where the text exceeds the limit
   */
  encode(value: unknown, what: string): string;

  /** The value of a text that `encode` wrote. Every call gives a fresh value. */
  decode(text: string): unknown;

  /** The same for texts of values that are the same but for the order of their fields. */
  fingerprint(text: string): Uint8Array;

  /** The text of anything that was thrown. Never throws: what cannot be stored of it is left out or cut. */
  encodeError(error: unknown): string;

  /** The error of a text that `encodeError` wrote: an Error with name, message, stack and cause, or the thrown value. */
  decodeError(text: string): unknown;
}

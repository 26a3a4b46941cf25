/** Control characters (line breaks and terminal sequences among them), other line breaks, and what turns the direction of text. */
const UNPRINTABLE = /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** A text of somebody else's as part of one line: whoever gives a key or an error its message writes no line of our log. */
export function oneLine(text: string): string {
  return text.replace(UNPRINTABLE, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`);
}

import { messageOf } from '../../engine/errors.js';

/**
 * The value of a JSON text that may begin with a byte order mark.
 *
 * @throws Error that names the file
 */
export function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    throw new Error(`${path} is no JSON (${messageOf(error)})`, { cause: error });
  }
}

/** A text of code without its comments. Strings are matched too, so that what looks like a comment inside one stays. */
export function withoutComments(text: string): string {
  return text.replace(
    /("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`)|\/\/[^\n]*|\/\*[\s\S]*?\*\//g,
    (_, string: string | undefined) => string ?? '',
  );
}

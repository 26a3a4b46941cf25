/** Any method as it is found on a prototype. */
export type FoundMethod = (...args: unknown[]) => unknown;

/** The method as the class has it now: other decorators may have wrapped it, subclasses may have overridden it. */
export function findMethod(prototype: object, key: string): FoundMethod | null {
  for (const owner of lineOf(prototype)) {
    const descriptor = Object.getOwnPropertyDescriptor(owner, key);
    if (descriptor) return typeof descriptor.value === 'function' ? (descriptor.value as FoundMethod) : null;
  }
  return null;
}

/** The names of its methods, those that every object has left out. */
export function methodNames(prototype: object): readonly string[] {
  const names = new Set(lineOf(prototype).flatMap((owner) => Object.getOwnPropertyNames(owner)));
  names.delete('constructor');
  return [...names].filter((name) => findMethod(prototype, name) !== null);
}

/** A prototype and what it inherits from, without the one that every object has. */
function lineOf(prototype: object): readonly object[] {
  const line: object[] = [];
  for (
    let owner: object | null = prototype;
    owner !== null && owner !== Object.prototype;
    owner = Object.getPrototypeOf(owner) as object | null
  )
    line.push(owner);
  return line;
}

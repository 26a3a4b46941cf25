import type { DtoPackages } from './dto-packages.js';

type DtoClass = new (...args: never[]) => object;

/**
 * An instance of a DTO class with these fields, and of the classes that `@Type` names for its members. Unlike
 * `plainToInstance` it applies no `@Transform` and no `@Expose` names: the stored value is what these have made already,
 * and applied again `value === 'true'` would turn true into false.
 */
export function reviveAs(type: DtoClass, value: object, packages: DtoPackages): object {
  // As class-transformer does: a DTO's constructor takes nothing.
  const instance = new type();
  for (const [property, member] of Object.entries(value)) {
    if (property === '__proto__') continue;
    // Gives false, where an assignment would throw, for what the class computes itself by a getter.
    Reflect.set(
      instance,
      property,
      isBranch(member) ? reviveMember(type, instance, value, property, packages) : member,
    );
  }
  return instance;
}

function reviveMember(
  type: DtoClass,
  instance: object,
  value: object,
  property: string,
  packages: DtoPackages,
): unknown {
  const member = (value as Record<string, unknown>)[property];
  const memberType = packages.findMemberClass(type, instance, value, property);
  return memberType === null ? member : reviveItems(memberType, member, packages);
}

/** Lists, sets and maps are revived item by item; what is no plain object (a Date, an instance already) stays. */
function reviveItems(type: DtoClass, value: unknown, packages: DtoPackages): unknown {
  if (Array.isArray(value)) return value.map((item) => reviveItems(type, item, packages));
  if (value instanceof Set) return new Set([...value].map((item) => reviveItems(type, item, packages)));
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [key, reviveItems(type, item, packages)]));
  return isPlain(value) && (type as unknown) !== Object ? reviveAs(type, value, packages) : value;
}

function isBranch(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}

function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value) as object | null;
  // Not compared with Object.prototype: under Jest a value may come from another realm, which has its own.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

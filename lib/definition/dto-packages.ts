import type { InputFault } from '../engine/errors.js';

type Constructor = new (...args: never[]) => object;

/** What class-validator reports of one property. */
interface ValidationFault {
  readonly property: string;
  readonly constraints?: Readonly<Record<string, string>>;
  readonly children?: readonly ValidationFault[];
}

/** What we use of class-transformer and class-validator, which an app may have or not. */
export interface DtoPackages {
  /** An instance of the class with what its decorators (`@Type`, `@Transform`, `@Expose` …) make of the value. */
  transform(type: Constructor, value: object): object;
  /** Every fault of an instance, with its path; null where class-validator is not installed. */
  readonly validate: ((instance: object) => Promise<readonly InputFault[]>) | null;
  /** The class that `@Type` gives to a property, or null. */
  findMemberClass(type: Constructor, instance: object, value: object, property: string): Constructor | null;
}

interface TypeMetadata {
  typeFunction?(options: { newObject: object; object: object; property: string }): unknown;
}

/** Imports a package by name: a seam for tests, which have both packages installed. */
export type ImportPackage = (name: string) => Promise<unknown>;

// Not exported by the package's index, and the only way to learn what @Type said. It has no types of its own.
const STORAGE: string = 'class-transformer/cjs/storage.js';

const importInstalled: ImportPackage = async (name) => {
  // Named one by one, so that bundlers see what may be imported.
  switch (name) {
    case 'class-transformer':
      return import('class-transformer');
    case 'class-transformer/storage':
      return import(STORAGE);
    default:
      return import('class-validator');
  }
};

let installed: Promise<DtoPackages | null> | undefined;

/** The packages, or null where class-transformer is not installed. Looked up once in the life of the process. */
export function findDtoPackages(): Promise<DtoPackages | null> {
  installed ??= loadDtoPackages(importInstalled);
  return installed;
}

export async function loadDtoPackages(importPackage: ImportPackage): Promise<DtoPackages | null> {
  const [transformer, validator, storage] = await Promise.all([
    importOptional(importPackage, 'class-transformer'),
    importOptional(importPackage, 'class-validator'),
    importOptional(importPackage, 'class-transformer/storage'),
  ]);
  if (transformer === null) return null;
  const { plainToInstance } = transformer as { plainToInstance: DtoPackages['transform'] };
  return {
    transform: (type, value) => plainToInstance(type, value),
    validate: validator && validateWith(validator as unknown as typeof import('class-validator')),
    findMemberClass: (type, instance, value, property) =>
      findMemberClass(storage, type, { newObject: instance, object: value, property }),
  };
}

function validateWith({ validate }: typeof import('class-validator')): NonNullable<DtoPackages['validate']> {
  // A DTO without a single rule is no fault.
  return async (instance) => flatten(await validate(instance, { forbidUnknownValues: false }), '');
}

async function importOptional(importPackage: ImportPackage, name: string): Promise<Record<string, unknown> | null> {
  try {
    const module = (await importPackage(name)) as { default?: Record<string, unknown> } & Record<string, unknown>;
    return module.default ?? module;
  } catch (error) {
    if (isNotFound(error)) return null;
    throw error;
  }
}

function isNotFound(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND';
}

function flatten(faults: readonly ValidationFault[], parent: string): InputFault[] {
  return faults.flatMap(({ property, constraints = {}, children = [] }) => {
    const path = parent === '' ? property : `${parent}.${property}`;
    const own = Object.values(constraints).map((message) => ({ path, message }));
    return [...own, ...flatten(children, path)];
  });
}

function findMemberClass(
  storage: Record<string, unknown> | null,
  type: Constructor,
  options: { newObject: object; object: object; property: string },
): Constructor | null {
  const types = storage?.['defaultMetadataStorage'] as
    { findTypeMetadata?(type: Constructor, property: string): TypeMetadata | undefined } | undefined;
  const metadata = types?.findTypeMetadata?.(type, options.property);
  const found = metadata?.typeFunction?.(options);
  return typeof found === 'function' ? (found as Constructor) : null;
}

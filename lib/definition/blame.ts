import type { DefinitionFault } from '../engine/errors.js';
import type { ClassLike } from './metadata.js';
import type { Say } from './option-readers.js';

/** Collects the faults of one class: everything that is wrong is found in one boot. */
export class Blame {
  readonly faults: DefinitionFault[] = [];
  private readonly className: string;

  constructor(target: ClassLike) {
    this.className = target.name === '' ? '(anonymous class)' : target.name;
  }

  /** Takes faults of the class itself. */
  readonly class: Say = (fault) => void this.faults.push({ where: this.className, fault });

  /** Takes faults of one of its members. */
  member(key: string | symbol | undefined): Say {
    const where = `${this.className}.${key === undefined ? 'constructor' : String(key)}`;
    return (fault) => void this.faults.push({ where, fault });
  }
}

import { buildMessage, type Message, readTexts, text } from './messages.js';

const SETTING =
  /^\s*SET\s+(?:SESSION\s+)?(?!LOCAL\b|TRANSACTION\b|CONSTRAINTS\b|CHARACTERISTICS\b)"?([\w.]+)"?\s*(?:=|\bTO\b)/i;
const LISTEN = /^\s*(UNLISTEN|LISTEN)\s+"?([^";\s]+)"?/i;

/** A statement in a client's own name for it: all clients share the names of one backend. */
interface NamedPart {
  /** Bytes of the body before the name. */
  readonly at: number;
  /** How many strings before the one that names the statement. */
  readonly strings: number;
}

/** Where the messages of the extended protocol name a statement. */
const NAMES: Readonly<Record<string, NamedPart>> = {
  P: { at: 0, strings: 0 },
  // The portal comes first.
  B: { at: 0, strings: 1 },
  D: { at: 1, strings: 0 },
  C: { at: 1, strings: 0 },
};

/**
 * What makes one client's session, kept apart because the backend has but one: its settings, the names of its prepared
 * statements, and the channels it listens to.
 */
export class Session {
  private readonly settings = new Map<string, string>();
  private readonly channels = new Set<string>();
  private readonly statements = new Set<string>();

  /** Whether it has let go of a channel, which the backend then hears for nobody any more. */
  hasUnlistened = false;

  constructor(private readonly id: number) {}

  /** Takes over what a client asks for when it connects: `-c name=value`. */
  startWith(options: string): void {
    for (const [, name, value] of options.matchAll(/-c\s*([\w.]+)=((?:\\.|\S)*)/g)) {
      this.settings.set(name!.toLowerCase(), `SET ${name} TO ${value!.replace(/\\(.)/g, '$1')}`);
    }
  }

  /** What brings the backend from any other session to this one. */
  get resumption(): string {
    return ['RESET ALL', ...this.settings.values()].join(';');
  }

  isListeningTo(channel: string): boolean {
    return this.channels.has(channel);
  }

  get listening(): ReadonlySet<string> {
    return this.channels;
  }

  /** What frees what this session holds in the backend. */
  get farewell(): string {
    return [...this.statements].map((name) => `DEALLOCATE "${name}"`).join(';');
  }

  /** The message as the backend is to see it. Remembers what it changes of the session. */
  translate(message: Message): Buffer {
    if (message.type === 'Q') this.note(readTexts(message.body)[0]!);
    const part = NAMES[message.type];
    // Of a description or closing only that of a statement, not of a portal.
    if (!part || (part.at === 1 && message.body[0] !== STATEMENT)) return message.bytes;
    return this.rename(message, part);
  }

  private rename({ type, body, bytes }: Message, { at, strings }: NamedPart): Buffer {
    let start = at;
    for (let n = 0; n < strings; n++) start = body.indexOf(0, start) + 1;
    const end = body.indexOf(0, start);
    const name = body.toString('utf8', start, end);
    // A statement without a name lives until the next: no other client comes in between.
    if (name === '') return bytes;
    const ours = `c${this.id}_${name}`;
    if (type === 'P') this.statements.add(ours);
    if (type === 'C') this.statements.delete(ours);
    return buildMessage(type, Buffer.concat([body.subarray(0, start), text(ours), body.subarray(end + 1)]));
  }

  private note(sql: string): void {
    for (const statement of sql.split(';')) {
      const setting = SETTING.exec(statement)?.[1];
      if (setting) this.settings.set(setting.toLowerCase(), statement.trim());
      const [, verb, channel] = LISTEN.exec(statement) ?? [];
      if (!verb || !channel) continue;
      if (verb.toUpperCase() === 'UNLISTEN') this.hasUnlistened = true;
      if (verb.toUpperCase() === 'LISTEN') this.channels.add(channel);
      else if (channel === '*') this.channels.clear();
      else this.channels.delete(channel);
    }
  }
}

const STATEMENT = 'S'.charCodeAt(0);

export interface RedisServer {
  readonly host: string;
  readonly port: number;
  start(): Promise<void>;
  /** SIGKILL ends it at once. Nothing is kept. */
  halt(signal?: NodeJS.Signals): Promise<void>;
  /** One command over a connection that is opened for it. */
  command(...words: (string | number)[]): Promise<unknown>;
  stop(): Promise<void>;
}

export function startRedisServer(options?: { readonly settings?: readonly string[] }): Promise<RedisServer>;

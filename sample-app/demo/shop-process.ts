import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../src/main.js', import.meta.url));
const KEPT_LOG_LINES = 30;

/** One process of the shop: the web server or a worker. */
export class ShopProcess {
  private readonly log: string[] = [];
  private readonly ended: Promise<void>;

  private constructor(
    private readonly role: 'web' | 'worker',
    private readonly child: ChildProcess,
  ) {
    this.ended = new Promise((ended) => child.once('exit', () => ended()));
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => this.keep(text));
  }

  static start(role: 'web' | 'worker', env: Readonly<Record<string, string>>): ShopProcess {
    const child = fork(MAIN, {
      env: { ...process.env, ...env, SHOP_ROLE: role, NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    return new ShopProcess(role, child);
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** Resolves when the process says it is ready; the web server says its address. */
  async ready(): Promise<string> {
    const told = new Promise<string>((resolve) =>
      this.child.once('message', (message) => resolve((message as { url?: string }).url ?? '')),
    );
    const gone = this.ended.then(() => {
      throw new Error(`The ${this.role} ended before it was ready:\n${this.log.join('')}`);
    });
    return Promise.race([told, gone]);
  }

  /** SIGKILL cannot be caught: the process has no chance to say goodbye. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.child.kill(signal);
    await this.ended;
  }

  lastLogLines(): string {
    return this.log.join('');
  }

  private keep(text: string): void {
    this.log.push(text);
    if (this.log.length > KEPT_LOG_LINES) this.log.shift();
  }
}

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The paths of a private key and its certificate. */
export interface Certificate {
  readonly key: string;
  readonly cert: string;
}

/** A certificate authority of one's own, in a temporary folder, made by openssl. */
export class Authority {
  private readonly folder = mkdtempSync(join(tmpdir(), 'of-tls-'));
  readonly ca: Certificate;

  constructor() {
    this.ca = { key: join(this.folder, 'ca.key'), cert: join(this.folder, 'ca.crt') };
    this.openssl([
      'req',
      '-x509',
      ...NEW_KEY,
      '-keyout',
      this.ca.key,
      '-out',
      this.ca.cert,
      '-subj',
      '/CN=A test of ours',
    ]);
  }

  /** Issues a certificate to a name, good for this machine's own address. */
  issue(name: string): Certificate {
    const paths = { key: join(this.folder, `${name}.key`), cert: join(this.folder, `${name}.crt`) };
    const request = join(this.folder, `${name}.csr`);
    const extensions = join(this.folder, `${name}.ext`);
    writeFileSync(extensions, 'subjectAltName=IP:127.0.0.1,DNS:localhost');
    this.openssl(['req', ...NEW_KEY, '-keyout', paths.key, '-out', request, '-subj', `/CN=${name}`]);
    const signer = ['-CA', this.ca.cert, '-CAkey', this.ca.key, '-CAcreateserial'];
    this.openssl(['x509', '-req', '-in', request, '-out', paths.cert, '-days', '2', ...signer, '-extfile', extensions]);
    return paths;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  private openssl(args: readonly string[]): void {
    execFileSync('openssl', args, { stdio: 'pipe' });
  }
}

const NEW_KEY = ['-newkey', 'rsa:2048', '-nodes', '-days', '2'];

/** What stands in a certificate's files. */
export function readPair({ key, cert }: Certificate): { readonly key: string; readonly cert: string } {
  return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
}

import { request } from 'node:http';
import { HarnessError } from '../../errors.js';

const TIMEOUT_MS = 2_000;

/** Kamailio's JSON-RPC over HTTP (modules xhttp and jsonrpcs), one request a connection. */
export class JsonRpc {
  constructor(readonly url: string) {}

  /** The result of a method. Throws LAB_NOT_READY when nobody answers or the answer is an error. */
  async call<T>(method: string, params: readonly (string | number)[] = []): Promise<T> {
    const bad = (why: string): HarnessError => new HarnessError('LAB_NOT_READY', `${this.url} ${method}: ${why}`);
    const text = await this.#post(JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })).catch((error: Error) => {
      throw bad(error.message);
    });
    const { result, error } = JSON.parse(text) as { result?: T; error?: { message: string } };
    if (error !== undefined) throw bad(error.message);
    return result as T;
  }

  /** Is anybody there? */
  async answers(): Promise<boolean> {
    return this.#post('{"jsonrpc":"2.0","id":1,"method":"core.version"}').then(
      () => true,
      () => false,
    );
  }

  #post(body: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const post = request(this.url, { method: 'POST', timeout: TIMEOUT_MS, agent: false }, (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (more: string) => {
          text += more;
        });
        response.once('end', () =>
          response.statusCode === 200 ? resolve(text) : reject(new Error(`status ${response.statusCode}`)),
        );
        response.once('error', reject);
      });
      post.once('timeout', () => post.destroy(new Error('no answer in 2 s')));
      post.once('error', reject);
      post.end(body);
    });
  }
}

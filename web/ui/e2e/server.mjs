// Starts the real program for the checks in this folder, and ends it.
import { spawn } from 'node:child_process';

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Asks until it is so, and gives what was answered; fails with what was waited for. */
export async function until(what, ask, ms = 30_000, every = 200) {
  const end = Date.now() + ms;
  for (;;) {
    const answer = await Promise.resolve()
      .then(ask)
      .catch(() => undefined);
    if (answer) return answer;
    if (Date.now() > end) throw new Error(`waited ${ms / 1000} s in vain: ${what}`);
    await sleep(every);
  }
}

/** A running goc: its address, and the API as a program calls it. */
export class Server {
  constructor(binary, args, base) {
    Object.assign(this, { binary, args, base, token: '', said: '' });
  }

  async start() {
    this.child = spawn(this.binary, this.args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.gone = new Promise((resolve) => this.child.once('exit', resolve));
    for (const out of [this.child.stdout, this.child.stderr])
      out.on('data', (text) => (this.said = (this.said + text).slice(-4000)));
    await until(`${this.args.join(' ')} answers`, async () => (await fetch(`${this.base}/readyz`)).ok).catch((e) => {
      throw new Error(`${e.message}\n${this.said}`);
    });
  }

  async end(signal = 'SIGTERM') {
    if (!this.child) return;
    this.child.kill(signal);
    await this.gone;
  }

  async call(method, path, body) {
    const headers = { 'Content-Type': 'application/json' };
    if (this.token) headers.Authorization = `Bearer ${this.token}`;
    const answer = await fetch(`${this.base}/api/v1${path}`, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text === '' ? null : JSON.parse(text);
  }

  get(path) {
    return this.call('GET', path);
  }

  post(path, body = {}) {
    return this.call('POST', path, body);
  }
}

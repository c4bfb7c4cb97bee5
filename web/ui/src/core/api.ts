/** An answer that is not 2xx, as RFC 9457 says it. Status 0 means that no answer came. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail = '',
    readonly hint = '',
    readonly errors: { location?: string; message: string }[] = [],
  ) {
    super(
      [title, detail, ...errors.map((e) => [e.location, e.message].filter(Boolean).join(': '))]
        .filter(Boolean)
        .join(' — '),
    );
  }
}

type Fetch = (input: string, init?: RequestInit) => Promise<Response>;

/** The JSON API. It never retries: whoever calls knows whether that is safe. */
export class Api {
  /** Called on each 401. */
  onUnauthenticated: () => void = () => {};

  constructor(
    private readonly base = '/api/v1',
    private readonly fetcher: Fetch = (input, init) => fetch(input, init),
    private readonly timeoutMs = 10_000,
  ) {}

  get<T>(path: string): Promise<T> {
    return this.send<T>('GET', path);
  }

  /** Posts body. The key makes a second sending of the same request harmless. */
  post<T>(path: string, body: unknown = {}, key: string = crypto.randomUUID()): Promise<T> {
    return this.send<T>('POST', path, body, key);
  }

  delete<T>(path: string): Promise<T> {
    return this.send<T>('DELETE', path);
  }

  /** Text that is not JSON, such as a report. */
  async text(path: string): Promise<string> {
    const answer = await this.fetcher(this.base + path, { headers: { Accept: 'text/markdown, text/plain' } });
    if (!answer.ok) throw await this.problem(answer);
    return answer.text();
  }

  private async send<T>(method: string, path: string, body?: unknown, key?: string): Promise<T> {
    const headers: Record<string, string> = { Accept: 'application/json' };
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    if (key) headers['Idempotency-Key'] = key;
    let answer: Response;
    try {
      answer = await this.fetcher(this.base + path, {
        method,
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
        signal: AbortSignal.timeout(this.timeoutMs),
      });
    } catch (e) {
      throw new Problem(0, 'no answer', e instanceof Error ? e.message : String(e));
    }
    if (!answer.ok) throw await this.problem(answer);
    const text = await answer.text();
    return (text === '' ? undefined : JSON.parse(text)) as T;
  }

  private async problem(answer: Response): Promise<Problem> {
    if (answer.status === 401) this.onUnauthenticated();
    try {
      const p = await answer.json();
      return new Problem(answer.status, p.title ?? answer.statusText, p.detail, p.hint, p.errors ?? []);
    } catch {
      return new Problem(answer.status, answer.statusText || `status ${answer.status}`);
    }
  }
}

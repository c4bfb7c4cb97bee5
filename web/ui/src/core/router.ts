// All state that a link should carry is in the URL: the screen in the path, how it is looked at in the query.
export type Screen =
  'situation' | 'incident' | 'fleet' | 'changes' | 'plans' | 'drills' | 'voice' | 'review' | 'me' | 'lost';

export interface Route {
  screen: Screen;
  /** The path's parameters by name: id, city, store, device, name, run, tab. */
  params: Record<string, string>;
  query: URLSearchParams;
}

const patterns: [Screen, string][] = [
  ['situation', '/'],
  ['incident', '/i'],
  ['incident', '/i/:id'],
  ['incident', '/i/:id/report'],
  ['fleet', '/fleet/:city?/:store?/:device?'],
  ['changes', '/changes/gate/:tab'],
  ['changes', '/changes/:id?'],
  ['plans', '/plans'],
  ['plans', '/plans/:name'],
  ['plans', '/plans/:name/runs/:run'],
  ['drills', '/drills/:id?'],
  ['voice', '/voice'],
  ['review', '/review/:tab?'],
  ['me', '/me'],
];

function match(pattern: string, parts: string[]): Record<string, string> | null {
  const wanted = pattern.split('/').filter(Boolean);
  if (parts.length > wanted.length) return null;
  const params: Record<string, string> = {};
  for (const [i, w] of wanted.entries()) {
    const part = parts[i];
    if (part === undefined) {
      if (w.endsWith('?')) continue;
      return null;
    }
    if (w.startsWith(':')) params[w.replace(/[:?]/g, '')] = part;
    else if (w !== part) return null;
  }
  return params;
}

/** Reads a URL's path and query. What fits nothing is the screen `lost`. */
export function parseRoute(url: URL): Route {
  let parts: string[];
  try {
    parts = url.pathname.split('/').filter(Boolean).map(decodeURIComponent);
  } catch {
    parts = ['%'];
  }
  for (const [screen, pattern] of patterns) {
    const params = match(pattern, parts);
    if (params) return { screen, params, query: url.searchParams };
  }
  return { screen: 'lost', params: {}, query: url.searchParams };
}

/** A path from its segments, each escaped; empty ones end it. */
export function path(...segments: (string | undefined)[]): string {
  const parts: string[] = [];
  for (const s of segments) {
    if (!s) break;
    parts.push(encodeURIComponent(s));
  }
  return '/' + parts.join('/');
}

/** The same place with some of the query changed; null takes a key away. */
export function withQuery(url: URL, change: Record<string, string | null>): string {
  const next = new URL(url);
  for (const [k, v] of Object.entries(change)) {
    if (v === null) next.searchParams.delete(k);
    else next.searchParams.set(k, v);
  }
  return next.pathname + next.search;
}

const units: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Milliseconds of 90s, 15m, 2h or 1d; NaN for anything else. */
export function rangeMillis(text: string | null): number {
  const m = /^(\d{1,4})([smhd])$/.exec(text ?? '');
  return m ? Number(m[1]) * units[m[2]!]! : NaN;
}

/** The window that a query asks for: absolute from and to, or a range that ends now; null for everything. */
export function timeWindow(query: URLSearchParams, now: number): { from: number; to: number } | null {
  const from = Date.parse(query.get('from') ?? '');
  const to = Date.parse(query.get('to') ?? '');
  if (!Number.isNaN(from) && !Number.isNaN(to) && to > from) return { from, to };
  const range = rangeMillis(query.get('range'));
  return Number.isNaN(range) ? null : { from: now - range, to: now };
}

/** The link to hand to somebody else: relative time becomes absolute, personal settings are left out. */
export function absoluteLink(url: URL, now: number): string {
  const next = new URL(url);
  const window = timeWindow(next.searchParams, now);
  next.searchParams.delete('range');
  next.searchParams.delete('lang');
  if (window) {
    next.searchParams.set('from', new Date(window.from).toISOString());
    next.searchParams.set('to', new Date(window.to).toISOString());
  }
  return next.toString();
}

import type { CityState, Incident, Severity } from './types';

const order: Severity[] = ['P1', 'P2', 'P3', 'P4'];

/** The shape that stands for a severity wherever colour might not be seen. */
export const severityShape: Record<Severity, string> = { P1: '■', P2: '▲', P3: '◆', P4: '●' };

/** Says whether what was wrong is well again, whatever is left to do. */
export function over(i: Incident): boolean {
  return i.state === 'resolved' || !!i.recovered_at;
}

/** Worst first: by severity, then those nobody is on, then the oldest. A drill stands behind what is real, what is over behind all. */
export function worstFirst(incidents: Incident[]): Incident[] {
  const rank = (i: Incident) =>
    (over(i) ? 100 : 0) + order.indexOf(i.severity) * 4 + (i.drill ? 2 : 0) + (i.state === 'open' ? 0 : 1);
  return [...incidents].sort((a, b) => rank(a) - rank(b) || (a.onset_at ?? '').localeCompare(b.onset_at ?? ''));
}

/** Says whether it must blink: a P1 that nobody has acknowledged. */
export function urgent(i: Incident): boolean {
  return i.severity === 'P1' && i.state === 'open' && !over(i);
}

/** The tab's icon: red by count of P1, amber by count of the others, grey when quiet, a cross when the feed is lost. */
export function iconFor(incidents: Incident[], lost: boolean): string {
  if (lost) return 'lost';
  const open = incidents.filter((i) => !over(i));
  const p1 = open.filter((i) => i.severity === 'P1').length;
  const n = Math.min(10, open.length);
  if (p1 > 0) return `c${Math.min(10, p1)}`;
  return n > 0 ? `w${n}` : 'ok';
}

/** Whether so many devices are not well that it is worth to ask what they share. */
export const manyUnwell = (cities: readonly CityState[]) =>
  cities.reduce((n, c) => n + (c.states.offline ?? 0) + (c.states.degraded ?? 0), 0) >= 3;

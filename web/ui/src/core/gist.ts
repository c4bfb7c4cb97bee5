import { allEvidence, computed, loudest, orderedSuspects } from './suspects';
import type { Evidence, Incident, Sign, Suspect } from './types';

/** What the one line above everything says: what is wrong, and what is the first suspect, with its strongest reason. */
export interface Gist {
  /** The indicator that departed most; null where none is known and the title must do. */
  sign: Sign | null;
  /** named: people named a cause that is no change; confirmed, suspect: a change; none: most likely no change; open: nothing is known */
  verdict: 'named' | 'confirmed' | 'suspect' | 'none' | 'open';
  suspect: Suspect | null;
  probability: number;
  /** The strongest reason, then how long before the onset it began. */
  reasons: Evidence[];
}

/** How far an indicator is from its normal course, 0 and up. */
export function departure(s: Sign): number {
  const scale = Math.max(Math.abs(s.normal), Math.abs(s.value));
  return scale === 0 ? 0 : Math.abs(s.value - s.normal) / scale;
}

/** How near an indicator is to its normal course again, 0 to 1. */
export const nearness = (s: Sign) => 1 - Math.min(1, departure(s));

const place = { off: 0, unknown: 1, back: 2 } as const;

/** The signs as a person looks for them: what is off first, the furthest from normal first. */
export function worstSigns(signs: readonly Sign[] | null | undefined): Sign[] {
  return [...(signs ?? [])].sort((a, b) => place[a.state] - place[b.state] || departure(b) - departure(a));
}

/** What a customer feels first: calls that fail, orders that are missing; then all the rest. */
function telling(s: Sign): number {
  if (s.indicator.endsWith('_ratio')) return 0;
  return s.indicator.startsWith('orders') ? 1 : 2;
}

/** Makes the one line out of an incident. */
export function gist(incident: Incident): Gist {
  const named = (s: Sign) => (incident.title.includes(s.service) ? 0 : 1); // that which the title speaks of
  const known = worstSigns(incident.signs).filter((s) => s.state !== 'unknown');
  const sign =
    known.toSorted((a, b) => place[a.state] - place[b.state] || telling(a) - telling(b) || named(a) - named(b))[0] ??
    null;
  const lines = orderedSuspects(incident).filter((l) => l.suspect?.verdict !== 'rejected');
  const said = { sign, suspect: null, probability: 0, reasons: [] };
  if (incident.cause && !incident.cause.change_id) return { ...said, verdict: 'named' };
  const first = lines[0];
  if (!first) return { ...said, verdict: 'open' };
  if (!first.suspect) return { ...said, verdict: 'none', probability: first.probability };
  return {
    sign,
    verdict: first.suspect.verdict === 'confirmed' ? 'confirmed' : 'suspect',
    suspect: first.suspect,
    probability: first.probability,
    reasons: strongest(first.suspect),
  };
}

function strongest(s: Suspect): Evidence[] {
  const [best] = loudest(s, 1);
  const time = allEvidence(s).find((e) => e.term === 'time' && computed(e) && e !== best);
  return [best, time].filter((e) => e !== undefined);
}

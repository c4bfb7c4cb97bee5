import type { Evidence, Incident, Suspect } from './types';

export interface SuspectLine {
  /** null stands for "no change did it". */
  suspect: Suspect | null;
  probability: number;
}

/** The suspects with "no change" among them, the most probable first; what a person rejected stands last. */
export function orderedSuspects(incident: Incident): SuspectLine[] {
  const suspects = incident.suspects ?? [];
  if (suspects.length === 0 && !(incident.no_change > 0)) return [];
  const lines: SuspectLine[] = suspects.map((s) => ({ suspect: s, probability: s.probability }));
  lines.push({ suspect: null, probability: incident.no_change });
  const place = (l: SuspectLine) => ({ confirmed: 0, suspect: 1, rejected: 2 })[l.suspect?.verdict ?? 'suspect'];
  return lines.sort((a, b) => place(a) - place(b) || b.probability - a.probability);
}

/** Whether a term could be computed at all; one that could not says why, and weighs nothing. */
export const computed = (e: Evidence) => e.args?.computed !== false;

const byWeight = (a: Evidence, b: Evidence) => Math.abs(b.weight) - Math.abs(a.weight);

/** The evidence that speaks loudest for a suspect. */
export function loudest(s: Suspect, n: number): Evidence[] {
  return (s.reasons ?? []).filter(computed).sort(byWeight).slice(0, n);
}

/** The one line that speaks loudest against it. */
export function counter(s: Suspect): Evidence | null {
  return (s.against ?? []).filter(computed).sort(byWeight)[0] ?? null;
}

/** All of it: for, then against, the loudest first; then what could not be computed. */
export function allEvidence(s: Suspect): Evidence[] {
  const both = [...(s.reasons ?? []).toSorted(byWeight), ...(s.against ?? []).toSorted(byWeight)];
  return [...both.filter(computed), ...both.filter((e) => !computed(e))];
}

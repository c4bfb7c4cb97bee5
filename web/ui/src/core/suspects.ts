import type { Entry, Evidence, Incident, Suspect } from './types';

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

/** Changes that a person ruled out and that are no longer suspects: a slip of the hand must have a way back. */
export function ruledOut(entries: Entry[], incident: Incident): { change: string; text: string }[] {
  const out = new Map<string, string>();
  for (const e of entries) {
    const change = e.data?.change_id;
    if (typeof change !== 'string') continue;
    if (e.name === 'incident.suspect_rejected') out.set(change, e.text);
    if (e.name === 'incident.suspect_confirmed') out.delete(change);
  }
  for (const s of incident.suspects ?? []) out.delete(s.change_id);
  return [...out].map(([change, text]) => ({ change, text }));
}

const byWeight = (a: Evidence, b: Evidence) => Math.abs(b.weight) - Math.abs(a.weight);

/** The evidence that speaks loudest for a suspect. */
export function loudest(s: Suspect, n: number): Evidence[] {
  return [...(s.reasons ?? [])].sort(byWeight).slice(0, n);
}

/** The one line that speaks loudest against it. */
export function counter(s: Suspect): Evidence | null {
  return [...(s.against ?? [])].sort(byWeight)[0] ?? null;
}

/** All of it: for, then against, the loudest first. */
export function allEvidence(s: Suspect): Evidence[] {
  return [...loudest(s, 99), ...[...(s.against ?? [])].sort(byWeight)];
}

import type { Change, Plan, RolloutCell, Run, Scope } from './types';

// What a person can do about a change that is going out or is out, and how it is taken back.

export interface Moves {
  pause: boolean;
  resume: boolean;
  /** The whole change can be taken back. */
  rollback: boolean;
  /** The rings, counted from 1, that are out and can be taken back alone. */
  rings: number[];
}

/** The moves that a change's state allows; who may make them is the server's to say. */
export function movesOf(c: Change): Moves {
  const rollback = !['planned', 'rolled_back'].includes(c.status);
  const out = (c.stages ?? []).flatMap((s, i) => (s.started_at && !s.rolled_back_at ? [i + 1] : []));
  return {
    pause: c.status === 'started',
    resume: c.status === 'paused',
    rollback,
    rings: rollback ? out : [],
  };
}

/** The stores that a change has reached and that taking back a ring undoes; ring 0 is the whole change. */
export function reached(cells: readonly RolloutCell[], ring: number): RolloutCell[] {
  return cells.filter((c) => c.treated && (ring === 0 || c.stage === ring));
}

/** The plan that a change names as its way back; null when it is a person's to take it back. */
export function wayBack(c: Change, plans: readonly Plan[]): Plan | null {
  const name = (c.rollback ?? '').trim();
  return plans.find((p) => p.name === name) ?? null;
}

/** Whether a plan is told the stores: one that is not may take back more than a ring. */
export const toldStores = (p: Plan) => (p.params ?? []).some((x) => x.from === 'store');

/** What a plan is asked for: its parameters filled with the change where an incident would fill them, and the stores. */
export function undoRequest(
  p: Plan,
  c: Change,
  stores: readonly string[],
): { params: Record<string, string>; scope: Scope } {
  const from: Record<string, string> = { suspect: c.id, service: c.service ?? '', store: stores.join(',') };
  const params = Object.fromEntries(
    (p.params ?? []).flatMap((x) => (from[x.from ?? ''] ? [[x.name, from[x.from!]!]] : [])),
  );
  const scope: Scope = c.service ? { service: [c.service] } : {};
  if (stores.length > 0) scope.store = [...stores];
  return { params, scope };
}

/** Whether a ring, or with 0 the whole change, is recorded as taken back. */
export const isUndone = (c: Change, ring: number) =>
  c.status === 'rolled_back' || (ring > 0 && !!c.stages?.[ring - 1]?.rolled_back_at);

/** The last run that takes a change back: it was given the change's id. */
export const undoRun = (runs: readonly Run[], c: Change): Run | undefined =>
  runs.find((r) => r.plan === c.rollback?.trim() && Object.values(r.params ?? {}).includes(c.id));

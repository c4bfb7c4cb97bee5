import type { Run } from './types';

/** How far a run has come: steps and checks that ended, of all, undo steps apart; and what is being done. */
export function runProgress(run: Run): { done: number; total: number; current: string; at: number } {
  const undoing = run.state === 'undoing' || run.state === 'undone';
  const steps = (run.steps ?? []).filter((s) => (s.kind === 'undo') === undoing);
  const done = steps.filter((s) => s.state !== 'pending' && s.state !== 'running').length;
  const at = steps.findIndex((s) => s.state === 'running');
  return {
    done,
    total: steps.length,
    current: steps[at]?.name ?? '',
    at: at < 0 ? Math.min(done + 1, steps.length) : at + 1,
  };
}

const ended = new Set(['succeeded', 'failed', 'aborted', 'indeterminate', 'undone']);

/** Says whether nothing more will happen by itself. */
export function runEnded(run: Run): boolean {
  return ended.has(run.state);
}

/** The run to show on an incident: one that is under way, else the latest. */
export function runOf(runs: Run[] | null | undefined, incident: string): Run | undefined {
  const mine = (runs ?? []).filter((r) => r.incident === incident);
  return mine.find((r) => !runEnded(r)) ?? mine[0];
}

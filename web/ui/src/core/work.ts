import { millis } from './clock';
import type { Alert, Entry, Incident, Task } from './types';

/** Whether a task should have been done by now. */
export function overdue(task: Task, now: number): boolean {
  return !task.done_at && millis(task.due_at) < now;
}

/** What is to be done as a person works through it: the first due first, what has no date after, what is done last. */
export function orderedTasks(tasks: readonly Task[] | null | undefined): Task[] {
  const due = (t: Task) =>
    t.done_at ? -millis(t.done_at) : Number.isNaN(millis(t.due_at)) ? Infinity : millis(t.due_at);
  return [...(tasks ?? [])].sort((a, b) => {
    if (!!a.done_at !== !!b.done_at) return a.done_at ? 1 : -1;
    return due(a) < due(b) ? -1 : due(a) > due(b) ? 1 : a.id - b.id;
  });
}

/** The tasks after one of them changed. */
export function withTask(incident: Incident, id: number, change: Partial<Task>): Task[] {
  return (incident.tasks ?? []).map((t) => (t.id === id ? { ...t, ...change } : t));
}

/** The tasks with a new one, under a number that no other has until the server gives it its own. */
export function withNewTask(incident: Incident, task: Omit<Task, 'id'>): Task[] {
  const tasks = incident.tasks ?? [];
  return [...tasks, { ...task, id: 1 + Math.max(0, ...tasks.map((t) => t.id)) }];
}

/** An alert with those that it explains. */
export interface Fold {
  alert: Alert;
  under: Alert[];
}

/** Alerts with those that another explains folded under it: firing first, the newest first. */
export function foldAlerts(alerts: readonly Alert[]): Fold[] {
  const by = new Map(alerts.map((a) => [a.fingerprint, a]));
  const top = (a: Alert): Alert => {
    const seen = new Set<string>();
    let at = a;
    for (;;) {
      seen.add(at.fingerprint);
      const next = by.get(at.inhibited_by ?? '');
      if (!next) return at;
      if (seen.has(next.fingerprint)) return a; // alerts that explain one another stand by themselves
      at = next;
    }
  };
  const folds = new Map<string, Fold>();
  const sorted = [...alerts].sort(
    (a, b) => a.status.localeCompare(b.status) || (b.starts_at ?? '').localeCompare(a.starts_at ?? ''),
  );
  for (const a of sorted) if (top(a) === a) folds.set(a.fingerprint, { alert: a, under: [] });
  for (const a of sorted) {
    const head = top(a);
    if (head !== a) folds.get(head.fingerprint)?.under.push(a);
  }
  return [...folds.values()];
}

/** A line of a timeline: an entry, or many of a kind that came in a row. */
export interface Line {
  entry: Entry;
  /** More entries of the same kind, in the order of the list; a storm is one line. */
  more: Entry[];
}

const STORM = 4; // so many in a row are one line
const storms = new Set(['incident.alert_added', 'incident.alert_resolved']);

/** Entries with storms of alerts folded into one line each. */
export function foldEntries(entries: readonly Entry[]): Line[] {
  const out: Line[] = [];
  for (let i = 0; i < entries.length;) {
    const entry = entries[i]!;
    let end = i + 1;
    while (storms.has(entry.name) && entries[end]?.name === entry.name) end++;
    if (end - i >= STORM) out.push({ entry, more: entries.slice(i + 1, end) });
    else for (const e of entries.slice(i, end)) out.push({ entry: e, more: [] });
    i = end;
  }
  return out;
}

import { millis } from './clock';
import type { Change, Override, Reason, Scope, Time } from './types';

// The gate as the API tells it, and what its screens make of that.

export interface Approval {
  change_id: string;
  person: string;
  note?: string;
  stages?: number[];
  at: Time;
}
export interface ReviewState {
  name: string;
  evidence?: string;
  missing?: boolean;
}
export interface Standing {
  change_id: string;
  title: string;
  service?: string;
  author?: string;
  status: string;
  stage?: number;
  decision: string;
  reasons: Reason[];
  need: number;
  from?: string[];
  approvals: Approval[];
  counting: string[];
  reviews: ReviewState[];
  may_approve: boolean;
  why?: string;
  may_move: boolean;
  why_not_move?: string;
}
export interface Policy {
  name: string;
  scope: Scope;
  kinds?: string[];
  environments?: string[];
  when?: string;
  expr: string;
  effect?: string;
  message?: string;
  override?: string;
  on_error?: string;
}
export interface PolicyStanding extends Policy {
  since: Time;
  held: number;
  last: Time;
  errors?: number;
}
export interface RedLine {
  name: string;
  scope: Scope;
  limit: string;
  in_flight: string;
  override?: string;
  crossed: boolean;
  since: Time;
  text?: string;
}
export interface BudgetLeft {
  service: string;
  objective: number;
  known: boolean;
  left: number;
  burn: number;
  burning: boolean;
}
export interface Rules {
  policies: PolicyStanding[];
  red_lines: RedLine[];
  budgets: BudgetLeft[];
}
export interface Trial {
  policy: string;
  since: Time;
  changes: number;
  stopped: number;
  caused: number;
  missed: number;
  errors: number;
  items: { change_id: string; title: string; stage?: number; at: Time; effect: string; incidents?: string[] }[];
  assumed: string[];
}
export interface Maintenance {
  mode: string;
  until: Time;
  reason?: string;
  by?: string;
}
export interface HygieneItem {
  kind: string;
  subject: string;
  text: string;
  advice: string;
  since: Time;
}
export interface Hygiene {
  since: Time;
  items: HygieneItem[];
  omitted?: Record<string, number>;
}
export interface GivenOverride extends Override {
  change_id: string;
}

/** What holds a change back, the denials first. */
export function holding(reasons: Reason[]): Reason[] {
  const rank = (r: Reason) => (r.effect === 'deny' ? 0 : 1);
  return reasons.filter((r) => r.effect !== 'allow').sort((a, b) => rank(a) - rank(b));
}

/** Whether people's approvals are what is missing. */
export const wantsApproval = (s: Standing) => s.reasons.some((r) => r.rule === 'approval' && r.effect !== 'allow');

/** Whether somebody may open what holds a change back: breaking the glass helps with nothing else. */
export const breakable = (s: Standing) => {
  const held = holding(s.reasons);
  return held.length > 0 && held.some((r) => r.override !== null);
};

/** Milliseconds for which an override is still in force; 0 when it is over. */
export const left = (o: { expires_at: Time }, now: number) => Math.max(0, millis(o.expires_at) - now);

/** How an override's review stands. */
export function reviewOf(o: GivenOverride, now: number): 'none' | 'done' | 'overdue' | 'open' {
  const f = o.follow_up;
  if (!f) return 'none';
  if (f.closed_at) return 'done';
  return millis(f.due) < now ? 'overdue' : 'open';
}

/** The same sentence with its times as people here read them. */
export function timesIn(text: string, near: (t: string) => string): string {
  return text.replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g, near);
}

/** Whether anybody will still ask the gate about a change: it is neither over nor wholly out. */
export function asks(c: Change): boolean {
  if (c.status === 'planned') return true;
  return ['started', 'paused'].includes(c.status) && (c.stages ?? []).some((s) => !s.started_at);
}

/** Whose name a change goes under: one's own is not one's to approve. */
export const sameName = (a: string | undefined, b: string | undefined) =>
  !!a && a.trim().toLowerCase() === (b ?? '').trim().toLowerCase();

// The shapes of the API, by hand from the Go structs of ops/ and web/situation.go. Times are RFC 3339 text in UTC.
export type Time = string | null;
export type Severity = 'P1' | 'P2' | 'P3' | 'P4';
export type IncidentState = 'open' | 'acknowledged' | 'mitigated' | 'resolved';
export type Health = 'ok' | 'warning' | 'critical' | 'offline' | 'closed';

export const scopeKeys = [
  'service',
  'tier',
  'business',
  'region',
  'city',
  'store',
  'kind',
  'model',
  'firmware',
  'device',
  'unit',
] as const;
export type Scope = Partial<Record<(typeof scopeKeys)[number], string[]>>;

export interface Impact {
  stores: number;
  devices: number;
  services?: string[];
  orders_per_min: number;
  voice: number;
  evidence?: string;
}
export interface Leg {
  target_s: number;
  elapsed_s: number;
  running: boolean;
  met: boolean | null;
  stopped_by?: string;
}
export type LegName = 'detect' | 'locate' | 'recover';
export type Clock = Record<LegName, Leg>;

export interface Evidence {
  term: string;
  weight: number;
  text: string;
  args?: Record<string, unknown>;
}
export interface Suspect {
  change_id: string;
  title?: string;
  kind?: string;
  rank: number;
  probability: number;
  score: number;
  verdict: 'suspect' | 'confirmed' | 'rejected';
  reasons: Evidence[] | null;
  against: Evidence[] | null;
}
export interface Alert {
  fingerprint: string;
  status: 'firing' | 'resolved';
  labels: Record<string, string>;
  annotations?: Record<string, string>;
  starts_at: Time;
  ends_at: Time;
  reason?: string;
  silenced?: string;
  /** The fingerprint of the alert of the same incident that explains this one. */
  inhibited_by?: string;
}
export interface Task {
  id: number;
  kind: 'task' | 'action_item';
  title: string;
  owner?: string;
  due_at: Time;
  created_at: Time;
  created_by: string;
  done_at: Time;
  done_by?: string;
  reminded_at?: Time;
  reminders?: number;
}
export interface ActionItem extends Task {
  incident: string;
  incident_title: string;
  overdue: boolean;
}
export interface Attachment {
  id: number;
  title: string;
  url: string;
  added_at: Time;
  added_by: string;
}
export interface Update {
  id: number;
  at: Time;
  by: string;
  text: string;
}
/** What people named as the cause; without change_id no change did it. */
export interface Cause {
  text: string;
  change_id?: string;
  at: Time;
  by: string;
}
export interface Similar {
  incident: string;
  title: string;
  severity: Severity;
  score: number;
  reasons: string[] | null;
  cause: Cause | null;
  helped: string[] | null;
  onset_at: Time;
  recovered_s: number;
}
/** An indicator by which the recovery is judged. */
export interface Sign {
  indicator: string;
  service: string;
  where?: string;
  value: number;
  normal: number;
  state: 'off' | 'back' | 'unknown';
  since: Time;
  text: string;
}
export interface LegStats {
  measured: number;
  met: number;
  never: number;
  median_s: number;
  p90_s: number;
  worst_s: number;
}
export interface ClockGroup extends Record<LegName, LegStats> {
  key: string;
  incidents: number;
  judged: number;
  first_right: number;
}
export type ClockBy = 'week' | 'team' | 'fault' | 'severity';
export interface ClockReport {
  from: Time;
  to: Time;
  by: ClockBy;
  total: ClockGroup;
  groups: ClockGroup[] | null;
  drills: ClockGroup;
  /** Older incidents are no longer in memory and not counted; null when all of the span is. */
  complete_from?: Time;
}
export interface Incident {
  id: string;
  title: string;
  severity: Severity;
  state: IncidentState;
  scope: Scope;
  impact: Impact;
  onset_at: Time;
  detected_at: Time;
  located_at: Time;
  recovered_at: Time;
  acknowledged_at: Time;
  mitigated_at: Time;
  resolved_at: Time;
  updated_at: Time;
  clock: Clock;
  suspects: Suspect[] | null;
  no_change: number;
  alerts: Alert[] | null;
  roles: Record<string, string> | null;
  plans: string[] | null;
  runs?: string[];
  drill: string | null;
  merged_into?: string;
  reopened?: number;
  severity_evidence?: string;
  severity_by?: string;
  /** Alerts taken in, those no longer listed included. */
  alerts_total?: number;
  team?: string;
  fault?: string;
  cause?: Cause | null;
  signs?: Sign[] | null;
  tasks?: Task[] | null;
  attachments?: Attachment[] | null;
  updates?: Update[] | null;
  update_due_at?: Time;
}
export interface Entry {
  seq: number;
  at: Time;
  kind: string;
  actor?: string;
  text: string;
  name: string;
  data?: Record<string, unknown> | null;
}
export interface Event {
  seq: number;
  at: Time;
  name: string;
  topic: string;
  subject: string;
  actor: string;
  text?: string;
  data?: Record<string, unknown> | null;
}
export interface Mark {
  at: Time;
  kind: string;
  label: string;
  change_id?: string;
}
export interface Series {
  name: string;
  times: number[] | null;
  values: (number | null)[] | null;
}
export interface Chart {
  title: string;
  indicator: string;
  service?: string;
  unit?: string;
  from: Time;
  to: Time;
  series: Series[] | null;
  marks: Mark[] | null;
}
export interface Reason {
  rule: string;
  effect: string;
  message: string;
  evidence?: string;
  override: string | null;
}
export interface Stage {
  name?: string;
  scope: Scope;
  bake?: string;
  units?: string[];
  started_at: Time;
  finished_at: Time;
  verdict?: string;
  score?: number;
  reasons?: Reason[];
  rolled_back_at?: Time;
}
export interface RolloutCell {
  store: string;
  name?: string;
  city?: string;
  stage?: number;
  state: string;
  treated: boolean;
  at: Time;
}
export interface RolloutMatrix {
  change_id: string;
  status: string;
  cells: RolloutCell[];
  counts: Record<string, number>;
  omitted?: number;
}
export interface Override {
  id: string;
  person: string;
  reason: string;
  created_at: Time;
  expires_at: Time;
  follow_up?: { reviewer?: string; due: Time; closed_at: Time; closed_by?: string; note?: string };
}
export interface Change {
  id: string;
  kind: string;
  title: string;
  status: string;
  service?: string;
  version?: string;
  previous_version?: string;
  scope: Scope;
  risk?: string;
  author?: string;
  links?: { title?: string; url: string }[];
  stages?: Stage[];
  rollback?: string;
  reviews?: Record<string, string>;
  created_at: Time;
  started_at: Time;
  finished_at: Time;
  updated_at: Time;
  source?: string;
  overridden?: boolean;
  unapproved?: boolean;
  unapproved_because?: string;
  drill?: string;
  paused_for?: string;
  overrides?: Override[];
}
export interface FreezeSpan {
  freeze_id: string;
  name: string;
  scope: Scope;
  from: Time;
  to: Time;
}
export interface Freeze {
  id: string;
  name: string;
  scope: Scope;
  from: Time;
  to: Time;
  schedule?: { cron: string; duration: string; timezone: string };
  in_flight?: string;
  reason?: string;
  created_by?: string;
}
export interface Param {
  name: string;
  from?: string;
  default?: string;
  required?: boolean;
}
export interface Plan {
  name: string;
  title: string;
  description?: string;
  scope: Scope;
  params?: Param[];
  steps: { name: string; undo?: unknown }[] | null;
  verify?: { name: string }[];
  second_person?: boolean;
  expected?: string;
}
export interface RunStep {
  name: string;
  kind: string;
  state: string;
  started_at: Time;
  finished_at: Time;
  message?: string;
}
export interface Run {
  id: string;
  plan: string;
  title: string;
  state: string;
  incident?: string;
  scope: Scope;
  params?: Record<string, string>;
  started_by: string;
  confirmed_by?: string;
  created_at: Time;
  finished_at: Time;
  steps: RunStep[] | null;
  message?: string;
}
export interface DryRun {
  plan: string;
  ok: boolean;
  at: Time;
  params?: Record<string, string>;
  scope: Scope;
  stores: number;
  devices: number;
  reversible: boolean;
  second_person: boolean;
  steps: string[] | null;
  problems: string[] | null;
}
export interface Drill {
  name: string;
  title: string;
  description?: string;
  scope: Scope;
  schedule?: string;
  timezone?: string;
  max_duration?: string;
}
export interface DrillRun {
  id: string;
  drill: string;
  title: string;
  state: string;
  started_by: string;
  scope: Scope;
  created_at: Time;
  injected_at: Time;
  reverted_at: Time;
  finished_at: Time;
  change_id?: string;
  incident?: string;
  legs: { name: LegName; target_s: number; seconds: number | null; met: boolean; text?: string }[] | null;
  score: number | null;
  message?: string;
}
export interface OnCall {
  schedule: string;
  person: string;
  until: Time;
  next?: string;
}
export interface Topic {
  name: string;
  count: number;
  per_min: number;
  normal_per_min: number;
  stores?: Record<string, number>;
  samples?: string[];
}
export interface FleetGroup {
  group: Record<string, string>;
  total: number;
  states: Record<string, number>;
}
export interface Device {
  id: string;
  store: string;
  device: string;
  kind?: string;
  model?: string;
  firmware?: string;
  state: string;
  since: Time;
  seen_at: Time;
  status?: string;
  battery?: number | null;
  note?: string;
  flapping?: boolean;
  clock_off_s?: number;
  history?: DeviceTurn[] | null;
  readings?: Reading[] | null;
  /** Why it is degraded, in sentences. */
  why?: string[] | null;
}
/** What a device tells beyond that it is alive. */
export interface Reading {
  name: string;
  value: number;
  at: Time;
  low?: number;
  high?: number;
  /** It makes the device degraded. */
  beyond: boolean;
  history?: { at: Time; value: number }[] | null;
}
export interface DeviceTurn {
  at: Time;
  from: string;
  to: string;
}
export interface StoreView {
  id: string;
  name?: string;
  city?: string;
  region?: string;
  timezone?: string;
  hours?: string;
  network?: string;
  open: boolean;
  flapping?: boolean;
  states: Record<string, number>;
  device_list: Device[] | null;
}
export interface ServiceState {
  name: string;
  tier: string;
  core: boolean;
  business?: string;
  owner?: string;
  state: Health;
  incidents: string[] | null;
}
export interface StoreState {
  id: string;
  name?: string;
  open: boolean;
  states: Record<string, number>;
  state: Health;
}
export interface CityState {
  city: string;
  region?: string;
  total: number;
  affected: number;
  states: Record<string, number>;
  stores_total?: number;
  stores_affected?: number;
  stores: StoreState[] | null;
}
export interface Situation {
  at: Time;
  seq: number;
  version: string;
  counts: Record<Severity, number> & { devices_offline: number; devices_total: number };
  incidents: Incident[] | null;
  freeze: { active: FreezeSpan[] | null; next: FreezeSpan | null };
  services: ServiceState[] | null;
  cities: CityState[] | null;
  oncall: OnCall[] | null;
  changes: Change[] | null;
  runs: Run[] | null;
  recent: Event[] | null;
  headline: Chart | null;
  /** Rooms that did not answer: their part is empty, not well. */
  missing?: { source: string; detail: string }[];
}
export interface Wall {
  layout: number;
  stores: WallStore[] | null;
  cells: string;
}
export interface WallStore {
  id: string;
  name?: string;
  city?: string;
  offset: number;
  devices: string[];
}
export interface Principal {
  name: string;
  role: string;
  /** Nobody in particular: the server lets everybody in. */
  anonymous?: boolean;
}
export interface List<T> {
  items: T[] | null;
  next?: string;
}

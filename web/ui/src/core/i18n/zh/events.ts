import { percentText } from '../../format';
import type { Line } from '../index';
import { wordOf } from '../words';
import { zh } from './dictionary';
import { lengthOf } from './length';
import { sentence } from './sentences';

// Lines of timelines and of the ticker. The server's sentence is English; for Chinese it is made again from the event's
// name and data. What a person wrote is never translated.

type Data = Readonly<Record<string, unknown>>;

const word = (prefix: string, v: unknown) => wordOf(zh, prefix, String(v ?? ''));
const s = (v: unknown) => (typeof v === 'string' || typeof v === 'number' ? String(v) : '');
const system = (l: Line) => !l.actor || l.actor === 'goc';
const spaced = (name: string) => (/[\x21-\x7e]$/.test(name) ? `${name} ` : name);
/** Who did it, apart from what follows where the name is no Chinese one. */
const who = (l: Line) => (system(l) ? '系统' : spaced(l.actor!));
/** A sentence of the server's, in Chinese where it is known. */
const said = (v: unknown) => (s(v) ? (sentence(s(v), word) ?? s(v)) : '');
const after = (v: string, colon = '：') => (v ? colon + v : '');
const record = (v: unknown): Data => (typeof v === 'object' && v !== null ? (v as Data) : {});

type Template = (d: Data, l: Line) => string | null;

const noted =
  (what: string): Template =>
  (d, l) =>
    `${who(l)}${what}${after(s(d.note))}`;

function severityChanged(d: Data, l: Line): string | null {
  const to = s(d.to) || s(d.severity);
  if (!to) return null;
  if (system(l)) return `级别${s(d.from) ? `从 ${s(d.from)} ` : ''}变为 ${to}${after(said(d.evidence))}`;
  return `${who(l)}把级别${s(d.from) ? `从 ${s(d.from)} ` : ''}改为 ${to}${after(s(d.note) || s(d.reason))}`;
}

function ranked(d: Data): string | null {
  const id = s(d.change_id);
  if (!id) return d.no_change !== undefined ? '目前没有可疑的变更' : null;
  const p = typeof d.probability === 'number' ? d.probability : NaN;
  const first = `首要嫌疑 ${id}${Number.isNaN(p) ? '' : `，概率 ${percentText(p)}`}`;
  const none = typeof d.no_change === 'number' ? d.no_change : 0;
  return none > p ? `多半与变更无关（${percentText(none)}）；${first}` : first;
}

const outcomes: Record<string, string> = {
  started: '开始',
  done: '完成',
  holds: '通过',
  failed: '失败',
  'does not hold': '未通过',
  'may or may not have been done': '结果不明',
  'could not be done yet and will be tried again': '暂未做成，将重试',
};
const part = new RegExp(
  `^plan \\S+ (?:step \\d+ of \\d+|(\\w+) "(.+)") (${Object.keys(outcomes).join('|')})(?:: (.*))?$`,
);
const parts: Record<string, string> = { verification: '验证', precondition: '前提', undo: '撤销' };

function planProgress(d: Data, l: Line): string | null {
  if (!s(d.plan)) return null;
  const said = part.exec(l.text ?? '');
  if (said) {
    const what = said[1] ? `${parts[said[1]] ?? said[1]}「${said[2]}」` : `第 ${s(d.step)}/${s(d.steps)} 步`;
    return `预案 ${s(d.plan)}：${what}${outcomes[said[3]!]}${said[4] ? `（${said[4]}）` : ''}`;
  }
  const who = /^(.+) started plan /.exec(l.text ?? '')?.[1];
  const head = `预案 ${s(d.plan)}${s(d.run) ? `（${s(d.run)}）` : ''}`;
  return who ? `${who}启动${head}` : `${head}${word('run', d.state)}`;
}

function run(d: Data): string | null {
  const r = record(d.run);
  return s(r.plan) ? `预案 ${s(r.plan)} ${word('run', r.state)}${r.incident ? `（${s(r.incident)}）` : ''}` : null;
}

const title = (d: Data) => [s(d.service), s(d.version)].filter(Boolean).join(' ') || s(d.title);

const change =
  (what: (d: Data) => string): Template =>
  (d) => {
    const t = title(d);
    return `${word('kind', d.kind)}变更${t ? ` ${t} ` : ''}${what(d)}`;
  };

const stage = (d: Data) => (s(d.stage) ? `第 ${s(d.stage)} 阶段` : '阶段');

function gateDecided(d: Data, l: Line): string | null {
  const said: Record<string, string> = { allow: '放行', deny: '拒绝', wait: '要求等待' };
  const decision = said[s(d.decision)];
  if (!decision) return null;
  const reasons = Array.isArray(d.reasons) ? d.reasons.map(record).filter((r) => r.effect === d.decision) : [];
  const rules = [...new Set(reasons.map((r) => gateRule(s(r.rule))))].filter(Boolean).join('、');
  return `门禁对 ${s(d.change_id) || l.subject || '变更'}${decision}${rules ? `（${rules}）` : ''}`;
}

/** A caller had no answer from the gate, and what it did instead. */
function unavailable(d: Data): string | null {
  const a = record(d.absence);
  const did: Record<string, string> = { allow: '放行', deny: '拒绝', wait: '等待' };
  if (!did[s(a.decision)]) return null;
  const what = s(a.change_id) || [s(a.service), s(a.version)].filter(Boolean).join(' ') || s(a.title) || '一次变更';
  return `门禁没有应答，${spaced(what)}${a.rollback ? '的回滚' : ''}在没有门禁的情况下${did[s(a.decision)]}${after(s(a.why))}`;
}

/** What people say most, the first few topics. */
function topicsOf(d: Data): string {
  const topics = Object.entries(record(d.topics)).sort((a, b) => Number(b[1]) - Number(a[1]));
  const named = topics.filter(([name]) => name).map(([name, n]) => `${word('topic', name)}（${s(n)}）`);
  return named.slice(0, 3).join('、');
}

function gateRule(rule: string): string {
  const names: Record<string, string> = {
    freeze: '封网',
    incident: '故障',
    error_budget: '错误预算',
    collision: '冲突',
    stage: '灰度顺序',
    review: '评审',
    approval: '审批',
    break_glass: '紧急放行',
    share: '变更占比上限',
    rollback: '回滚',
    red_line: '红线',
    maintenance: '门禁维护',
    catalog: '目录',
  };
  return names[rule] ?? rule.replace(/^policy:/, '策略 ');
}

function fleetChanged(d: Data): string | null {
  const counts = Object.entries(record(d.counts)).filter(([, n]) => Number(n) > 0);
  if (counts.length === 0) return d.new ? `新设备 ${s(d.new)} 台` : null;
  const parts = counts.map(([state, n]) => `${s(n)} 台${word('state', state)}`).join('，');
  return `设备变化：${parts}${d.stores ? `（${s(d.stores)} 家门店）` : ''}`;
}

/** Links that flap, or are calm again; clocks that are wrong, or right again. */
const devicesOf =
  (one: string, what: string): Template =>
  (d, l) =>
    Number(d.total) === 1 ? `${l.subject ?? ''} ${one}` : s(d.total) ? `${s(d.total)} ${what}` : null;

const drillOf = (d: Data) => s(record(d.run).title) || s(record(d.run).drill) || '演练';

function scored(d: Data): string {
  const score = record(d.run).score;
  return `${drillOf(d)}：得分 ${score === undefined || score === null ? '–' : s(score)}`;
}

/** A leg of a drill, as its run has measured it. */
const leg =
  (name: string, zh: string): Template =>
  (d) => {
    const legs = record(d.run).legs;
    const measured = Array.isArray(legs) ? legs.map(record).find((l) => l.name === name) : undefined;
    const took = typeof measured?.seconds === 'number' ? `，用时 ${lengthOf(measured.seconds)}` : '';
    return `${drillOf(d)}：${zh}${took}`;
  };

const elapsed = (d: Data, what: string) =>
  typeof d.elapsed_s === 'number' ? `故障发生后 ${lengthOf(d.elapsed_s)}${what}` : `已${what}`;

const freezeOf = (d: Data, l: Line) => s(d.name) || s(record(d.freeze).name) || l.subject || '';

/** The alerts of an event: each by itself, many by their number and the first few. */
function alertsOf(d: Data): string {
  const list = Array.isArray(d.alerts) ? d.alerts.map(record) : [];
  const count = Number(d.count) || 1;
  const named = (a: Data) => said(a.summary) || s(a.alert);
  if (count === 1 || list.length === 0) return `：${named(d)}`;
  return ` ${count} 条：${list.slice(0, 3).map(named).join('；')}${count > 3 ? ' 等' : ''}`;
}

function split(d: Data, l: Line): string | null {
  const [from, into, n] = [s(d.from), s(d.into), s(d.count)];
  if (!from || !into || !n) return null;
  const by = system(l) ? '' : who(l);
  const what = l.subject === into ? `从 ${from} 接过 ${n} 条告警` : `把 ${n} 条告警拆到 ${into}`;
  return `${by}${what}${after(said(d.reason))}`;
}

/** How the indicators stand by which the recovery is judged. */
function signsChanged(d: Data): string | null {
  const off = (Array.isArray(d.signs) ? d.signs.map(record) : [])
    .filter((g) => g.state === 'off')
    .slice(0, 3)
    .map((g) => said(g.text))
    .join('；');
  switch (d.what) {
    case 'back':
      return `指标已回到平时${Number(d.firing) > 0 ? `，仍有 ${s(d.firing)} 条告警触发` : ''}`;
    case 'off again':
      return `指标再次偏离${after(off)}`;
    case 'off while quiet':
      return `告警都已恢复，但故障还没有恢复${after(off)}`;
    case 'unknown while quiet':
      return '告警都已恢复，但指标没有数据，还不算恢复';
    default:
      return null;
  }
}

const itemOf = (d: Data) => `${d.task_kind === 'action_item' ? '改进项' : '任务'} ${s(d.task)}`;
const ofTask = (d: Data) => `${s(d.task_title)}${s(d.owner) ? `（${s(d.owner)}）` : ''}`;
const changes: [RegExp, string][] = [
  [/^renamed$/, '改名'],
  [/^given to nobody$/, '不再有负责人'],
  [/^given to (.+)$/, '交给 $1'],
  [/^moved$/, '改期'],
  [/^done$/, '完成'],
  [/^taken up again$/, '重新开始'],
];

/** What became of a task: the sentence lists it, its data does not. */
function taskChanged(d: Data, l: Line): string | null {
  const did = /^(?:task|action item) \d+ (.+?): /.exec(l.text ?? '')?.[1];
  if (!did || !s(d.task)) return null;
  const parts = did.split(', ').map((p) => {
    const known = changes.find(([pattern]) => pattern.test(p));
    return known ? p.replace(known[0], known[1]) : p;
  });
  return `${itemOf(d)} ${parts.join('，')}：${s(d.task_title)}`;
}

const templates: Record<string, Template> = {
  'incident.opened': (d, l) => `${system(l) ? '' : `${who(l)}宣布`}${s(d.severity)} 故障${after(said(d.title))}`,
  'incident.alert_added': (d) => (s(d.alert) ? `告警并入${alertsOf(d)}` : null),
  'incident.alert_resolved': (d) => (s(d.alert) ? `告警恢复${alertsOf(d)}（仍有 ${s(d.firing) || 0} 条）` : null),
  'incident.acknowledged': noted('已认领'),
  'incident.mitigated': noted('标记为已止损'),
  'incident.recovered': (d) => `${elapsed(d, '恢复')}${after(said(d.stopped_by))}`,
  'incident.resolved': noted('解决了故障'),
  'incident.reopened': (d, l) =>
    s(d.why) ? `恢复没有保持住：${said(d.why)}` : `${who(l)}重新打开故障${after(s(d.note))}`,
  'incident.signs_changed': signsChanged,
  'incident.onset_moved': (d) =>
    typeof d.earlier_s === 'number' ? `故障发生时间前移 ${lengthOf(d.earlier_s)}${after(said(d.onset_from))}` : null,
  'incident.split': split,
  'incident.unlinked': (d, l) => (s(d.count) ? `${who(l)}移出 ${s(d.count)} 条告警${after(said(d.reason))}` : null),
  'incident.severity_changed': severityChanged,
  'incident.severity_suggested': (d) =>
    s(d.by) && s(d.set) ? `${s(d.by)}定为 ${s(d.set)}；按影响应为 ${s(d.to)}${after(said(d.evidence))}` : null,
  'incident.located': (d) => `${elapsed(d, '定位')}${after(said(d.stopped_by))}`,
  'incident.suspects_ranked': ranked,
  'incident.note_added': (d, l) => s(d.note) || l.text || null,
  'incident.role_set': (d, l) => {
    const role = word('role', d.role);
    return s(d.person) ? `${s(d.person)} 担任${role}` : `${who(l)}取消了${role}`;
  },
  'incident.merged': (d) => (s(d.into) && s(d.from) ? `${s(d.from)} 并入 ${s(d.into)}${after(said(d.reason))}` : null),
  'incident.suspect_confirmed': (d, l) => (s(d.change_id) ? `${who(l)}确认就是 ${s(d.change_id)}` : null),
  'incident.suspect_rejected': (d, l) => (s(d.change_id) ? `${who(l)}排除了 ${s(d.change_id)}` : null),
  'incident.cause_named': (d, l) =>
    s(d.cause) ? `${who(l)}指明原因：${s(d.cause)}${s(d.change_id) ? `（${s(d.change_id)}）` : ''}` : null,
  'incident.task_added': (d) => (s(d.task) ? `新增${itemOf(d)}：${ofTask(d)}` : null),
  'incident.task_changed': taskChanged,
  'incident.task_reminded': (d) => (s(d.task) ? `${itemOf(d)}已逾期，提醒${after(ofTask(d))}` : null),
  'incident.attachment_added': (d, l) => (s(d.link_title) ? `${who(l)}添加链接：${s(d.link_title)}` : null),
  'incident.attachment_removed': (d, l) => (s(d.link_title) ? `${who(l)}移除链接：${s(d.link_title)}` : null),
  'incident.update_posted': (d) => (s(d.update_text) ? `第 ${s(d.update)} 次对外通报：${s(d.update_text)}` : null),
  'incident.update_due': () => '该对外通报了',
  'incident.plan_progress': planProgress,
  'alert.firing': (d) => (s(record(d.labels).alertname) ? `告警触发：${s(record(d.labels).alertname)}` : null),
  'alert.resolved': (d) => (s(record(d.labels).alertname) ? `告警恢复：${s(record(d.labels).alertname)}` : null),
  'silence.added': (_, l) => `${who(l)}添加了静默`,
  'silence.expired': () => '静默到期',
  'change.recorded': change(() => '已登记'),
  'change.started': change(() => '开始'),
  'change.stage_started': change((d) => `${stage(d)}开始`),
  'change.stage_finished': change((d) => `${stage(d)}完成`),
  'change.paused': change(() => '暂停'),
  'change.resumed': change(() => '继续'),
  'change.finished': change(() => '完成'),
  'change.rolled_back': change(() => '已回滚'),
  'change.stage_rolled_back': change((d) => `${stage(d)}已回滚`),
  'change.rollback_ordered': change((d) => `将按预案 ${s(d.plan)} 回滚`),
  'change.aborted': change(() => '中止'),
  'change.reviewed': change(() => '补充了评审材料'),
  'change.verdict': change((d) => `${stage(d)}观察结论：${word('verdict', d.verdict)}`),
  'gate.decided': gateDecided,
  'gate.approved': (d, l) => `${s(record(d.approval).person) || who(l)}批准了 ${l.subject ?? ''}`,
  'gate.overridden': (d, l) => `${s(record(d.override).person) || who(l)}对 ${l.subject ?? ''} 紧急放行`,
  'gate.override_due': (_, l) => `${l.subject ?? ''} 的紧急放行逾期未复核`,
  'gate.override_reviewed': (_, l) => `${who(l)}复核了 ${l.subject ?? ''} 的紧急放行`,
  'gate.red_line': (d, l) => `红线 ${s(d.red_line) || l.subject || ''}${d.crossed === true ? '被突破' : '已恢复'}`,
  'gate.maintenance': (d, l) =>
    s(record(d.maintenance).mode) ? `${who(l)}将门禁置于维护状态` : `${who(l)}结束了门禁维护`,
  'gate.unavailable': unavailable,
  'freeze.added': (d, l) => `新增封网 ${freezeOf(d, l)}`,
  'freeze.lifted': (d, l) => `解除封网 ${freezeOf(d, l)}`,
  'freeze.closed': (d, l) => `封网开始 ${freezeOf(d, l)}`,
  'freeze.opened': (d, l) => `封网结束 ${freezeOf(d, l)}`,
  'fleet.changed': fleetChanged,
  'fleet.moved': (d, l) => `${who(l)}将设备 ${s(d.from)} 移至 ${s(d.to)}`,
  'fleet.renamed': (d, l) => `${who(l)}将设备 ${s(d.from)} 改名为 ${s(d.to)}`,
  'fleet.login_issued': (_, l) => `${who(l)}为 ${l.subject ?? ''} 签发了专用凭据`,
  'fleet.login_revoked': (_, l) => `${who(l)}吊销了 ${l.subject ?? ''} 的凭据`,
  'fleet.flapping': devicesOf('的连接时断时续', '处门店或设备的连接时断时续'),
  'fleet.calm': devicesOf('的连接已稳定', '处门店或设备的连接已稳定'),
  'fleet.clock_wrong': devicesOf('的时钟不准', '台设备的时钟不准'),
  'fleet.clock_right': devicesOf('的时钟已校准', '台设备的时钟已校准'),
  'fleet.credential_copied': (_, l) => `${l.subject ?? ''} 的凭据同时在两个地址使用：可能被复制，或设备换了网络`,
  'voice.said': (d) => (s(d.count) ? `${s(d.count)} 条客声${after(topicsOf(d))}` : null),
  'run.created': run,
  'run.updated': run,
  'run.finished': run,
  'drill.started': (d, l) => `${who(l)}开始演练：${drillOf(d)}`,
  'drill.injected': (d) => `${drillOf(d)}：故障已注入`,
  'drill.detected': leg('detect', '已发现'),
  'drill.located': leg('locate', '已定位'),
  'drill.recovered': leg('recover', '已恢复'),
  'drill.reverting': (d) => `${drillOf(d)}：正在还原`,
  'drill.reverted': (d) => `${drillOf(d)}：已还原`,
  'drill.scored': scored,
  'drill.aborted': (d, l) => `${drillOf(d)}：被${who(l)}中止`,
  'drill.failed': (d) => `${drillOf(d)}：失败`,
  'token.created': (_, l) => `${who(l)}创建了令牌`,
  'token.revoked': (_, l) => `${who(l)}吊销了令牌`,
  'auth.refused': () => '一次访问被拒绝',
  'hook.refused': () => '一次推送因签名或密钥不对、或重复而被拒绝',
};

/** The sentence of an event or an entry, null when the server's own must do. */
export function event(l: Line): string | null {
  return l.data ? (templates[l.name]?.(l.data, l) ?? null) : null;
}

import { indicatorText } from '../../format';
import type { Evidence } from '../../types';
import { wordOf } from '../words';
import { zh } from './dictionary';
import { lengthOf } from './length';

// The server writes evidence in English with its numbers and names beside it (args). For Chinese the sentence is made
// again from those, term by term; where something is missing the server's sentence stands.

type Args = Readonly<Record<string, unknown>>;

/** Thrown by a template whose arguments are not there: the server's own sentence is taken then. */
class Missing extends Error {}

function num(a: Args, key: string): number {
  const v = a[key];
  if (typeof v !== 'number') throw new Missing(key);
  return v;
}

function str(a: Args, key: string): string {
  const v = a[key];
  if (typeof v !== 'string' || v === '') throw new Missing(key);
  return v;
}

const word = (prefix: string, value: string) => wordOf(zh, prefix, value);

/** "by X", "calling X" and "of X by store" say from where an indicator was looked at. */
function view(text: string): string {
  const by = /^by (.+)$/.exec(text);
  if (by) return by[1] === 'all callers' ? '（全部调用方）' : `（调用方 ${by[1]}）`;
  const calling = /^calling (.+)$/.exec(text);
  if (calling) return `（调用 ${calling[1]}）`;
  const of = /^of (\S+)(?: for (.+))? by store$/.exec(text);
  if (of?.[2]) return `（${of[2] === 'all callers' ? '全部调用方' : of[2]} 调用 ${of[1]}，按门店）`;
  return of ? `（${of[1]}，按门店）` : `（${text}）`;
}

const looked = (a: Args) => `${word('indicator', str(a, 'indicator'))}${view(str(a, 'view'))}`;

function prior(a: Args): string {
  const judged = num(a, 'judged');
  const past = judged > 0 ? `；人工判过 ${judged} 次，其中 ${num(a, 'confirmed')} 次是它` : '';
  return `多数变更不会出事；这是一次${word('risk', str(a, 'risk'))}风险的${word('kind', str(a, 'kind'))}变更${past}`;
}

function conduct(a: Args): string {
  if (a.overridden === true) return '它以紧急放行上线';
  if (a.unapproved === true) return '它未经门禁放行就上线';
  const stage = num(a, 'stage');
  return `第 ${stage} 阶段开始时，第 ${stage - 1} 阶段还没观察满 ${lengthOf(num(a, 'bake_s'))}`;
}

function time(a: Args): string {
  const what = num(a, 'stage') > 0 ? `它的第 ${num(a, 'stage')} 阶段` : '它';
  const before = num(a, 'before_s');
  return before > 0 ? `${what}在故障发生前 ${lengthOf(before)}开始` : `${what}在故障发生时开始`;
}

function distance(a: Args, text: string): string {
  if (Array.isArray(a.differs)) return `它涉及的${word('scope', String(a.differs[0]))}与症状不同`;
  if (Array.isArray(a.shared)) {
    const parts = a.shared.slice(0, 3).map((s) => {
      const [key = '', ...rest] = String(s).split(' ');
      const name = rest.join(' ');
      return `${word('scope', key)} ${key === 'kind' ? word('kind', name) : name}`;
    });
    return `它涉及症状所指的${parts.join('、')}`;
  }
  if (a.service === undefined) return '记录里没有把它与症状联系起来的线索';
  const [service, symptom, calls] = [str(a, 'service'), str(a, 'symptom'), num(a, 'calls')];
  if (calls === 0) return `它改动的 ${service} 正是出现症状的服务`;
  if (calls > 0) return `出现症状的 ${symptom} 依赖 ${service}（相隔 ${calls} 次调用）`;
  return text.includes('only calls') ? `${service} 只是调用出现症状的 ${symptom}` : `${service} 与 ${symptom} 互不调用`;
}

function fit(a: Args, weight: number): string {
  const symptoms: Record<string, string> = { 'a service': '服务', devices: '设备', 'a whole place': '整个地点' };
  const symptom = str(a, 'symptom');
  return `${word('kind', str(a, 'kind'))}变更${weight < 0 ? '很少' : '常常'}表现为${symptoms[symptom] ?? symptom}出问题`;
}

function gap(a: Args, weight: number): string {
  const indicator = str(a, 'indicator');
  const value = (key: string) => indicatorText(indicator, num(a, key));
  const said = `${looked(a)}：已变更的 ${num(a, 'treated_n')} 个为 ${value('treated')}，其余 ${num(a, 'untreated_n')} 个为 ${value('untreated')}`;
  return weight < 0 ? `已变更的并不比其余更差：${said}` : said;
}

function untreated(a: Args): string {
  const indicator = str(a, 'indicator');
  return `没有变更的地方${looked(a)}也变差：从 ${indicatorText(indicator, num(a, 'before'))} 到 ${indicatorText(indicator, num(a, 'after'))}`;
}

const silence = (a: Args) =>
  `已变更的 ${str(a, 'unit')} 有 ${lengthOf(num(a, 'silent_s'))}没有上报，而 ${num(a, 'peers')} 个同伴中 ${num(a, 'reporting')} 个在上报`;

const spatial = (a: Args) =>
  `受影响的 ${num(a, 'affected')} 家门店中它到过 ${num(a, 'hit')} 家，其余 ${num(a, 'others')} 家中到过 ${num(a, 'reached')} 家`;

const undone = (a: Args) => `它在故障发生前 ${lengthOf(num(a, 'before_s'))}已经回滚`;

const baked = (a: Args) => `故障发生前它已有 ${num(a, 'stages')} 个阶段观察正常`;

const explained = (a: Args) =>
  `${str(a, 'caller')} 依赖的 ${str(a, 'service')} 有可疑的 ${str(a, 'change_id')}，它会造成同样的差距`;

const moved = (a: Args) =>
  `${looked(a)}原为 ${indicatorText(str(a, 'indicator'), num(a, 'before'))}，现为 ${indicatorText(str(a, 'indicator'), num(a, 'after'))}`;

/** What the service lost itself is nothing, much, or far too little for the symptom. */
const lost = (a: Args, weight: number) => {
  if (weight >= 0) return '也变差了';
  return a['little'] === true ? '的变化远不足以造成此故障' : '一切如常';
};

const own = (a: Args, weight: number) => `${str(a, 'service')} 自身${lost(a, weight)}：${moved(a)}`;

const partial = (a: Args) =>
  `${str(a, 'service')} 的 ${num(a, 'units')} 个实例中只有 ${num(a, 'unwell')} 个变差，而它到过全部实例`;

const deeper = (a: Args) => `${str(a, 'caller')} 调用的 ${str(a, 'service')} 也变差了：${moved(a)}`;

/** Why a term could not be computed, by the server's key. */
const uncomputed: Record<string, string> = {
  unfinished: '它涉及的部分尚未就绪，还无法与其余部分对比',
  no_samples: '已变更与未变更的部分都没有留下样本，无法对比',
  no_indicator: '没有指标能区分已变更与未变更的部分，无法对比',
  treated_unseen: '变更之后还没有看到已变更部分的数据，无法与其余部分对比',
  untreated_unseen: '变更之后只看到已变更部分的数据，没有可对比的对象',
  no_before: '其余部分没有留下变更之前的样本，无法对比前后',
  no_catalog: '目录里没有门店，无法对比它到过与没到过的门店',
  no_stores_named: '告警没有指明门店，无法对比它到过的地方与出问题的地方',
  no_units: '它的各阶段没有列出实例，若有实例失联也无从发现',
};

const templates: Record<string, (a: Args, weight: number, text: string) => string> = {
  prior,
  conduct,
  time,
  distance: (a, _, text) => distance(a, text),
  fit,
  gap,
  untreated,
  silence,
  own,
  partial,
  deeper,
  spatial,
  explained,
  undone,
  baked,
};

/** The sentence of a piece of evidence, null when the server's own must do. */
export function evidence(e: Evidence): string | null {
  const template = templates[e.term];
  if (!template || !e.args) return null;
  if (e.args.computed === false) return uncomputed[String(e.args.why ?? 'no_indicator')] ?? null;
  try {
    return template(e.args, e.weight, e.text);
  } catch (err) {
    if (err instanceof Missing) return null;
    throw err;
  }
}

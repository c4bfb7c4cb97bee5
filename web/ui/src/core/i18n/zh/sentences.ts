// Sentences that the server makes and that carry no figures beside them: summaries of the rules that ship with the
// product, titles made of them, and why an alert belongs or an incident is as bad as it is. Each is recognised as a whole
// and said in Chinese; what is not recognised, such as the rules of a customer, stays as it is.

type Word = (prefix: string, name: string) => string;

/** How a sentence is recognised, and how it is said: $1 is its first part, {kind:$1} a word of ours for it. */
export type Said = [RegExp, string];

const patterns: Said[] = [
  [/^(\S+) in (\S+) succeeds in (\S+) of calls, normal (\S+)$/, '$2 的 $1 成功率 $3（平时 $4）'],
  [/^(\S+) on (\S+) succeeds in (\S+) of calls, normal (\S+)$/, '$1 的实例 $2 成功率 $3（平时 $4）'],
  [/^(\S+) succeeds in (\S+) of calls, normal (\S+)$/, '$1 成功率 $2（平时 $3）'],
  [/^(\S+) in (\S+) succeeds in (\S+) of calls$/, '$2 的 $1 成功率 $3'],
  [/^(\S+) succeeds in (\S+) of calls$/, '$1 成功率 $2'],
  [
    /^(\S+) in (\S+) succeeded in (\S+) of calls over the last minute, normal (\S+)$/,
    '$2 的 $1 近一分钟成功率 $3（平时 $4）',
  ],
  [/^(\S+) succeeded in (\S+) of calls over the last minute, normal (\S+)$/, '$1 近一分钟成功率 $2（平时 $3）'],
  [/^(\S+) takes (\S+) orders per minute, normal (\S+)$/, '$1 每分钟 $2 单（平时 $3）'],
  [/^(\S+) takes (\S+) orders per minute$/, '$1 每分钟 $2 单'],
  [/^(\S+) in (\S+) takes (.+), normal (.+)$/, '$2 的 $1 耗时 $3（平时 $4）'],
  [/^(\S+) on (\S+) takes (.+), normal (.+)$/, '$1 的实例 $2 耗时 $3（平时 $4）'],
  [/^(\S+) takes (.+), normal (.+)$/, '$1 耗时 $2（平时 $3）'],
  [/^(\S+) of the (\S+) devices in (\S+) are beyond their limit of (\S+)$/, '$3 的{kind:$2}有 $1 {reading:$4}越限'],
  [/^(\S+) of (\S+) does not answer$/, '$2 的 $1 没有应答'],
];

let learned: Said[] = [];
let endings: Said[] = [];

/** Takes in what only the screens beyond the first say; those that end in another sentence apart. */
export function learn(more: Said[], ending: Said[]): void {
  learned = more;
  endings = ending;
}

// Of a severity's evidence, which is a list.
const evidence: Said[] = [
  [/^(\S+) is a core service$/, '$1 是核心服务'],
  [/^(\S+) is of tier (\S+)$/, '$1 属于 $2'],
  [/^no store is spared$/, '没有门店幸免'],
  [/^whole stores are in trouble$/, '整店受影响'],
  [/^(\S+) is failing$/, '$1 出了问题'],
  [/^(\d+) stores? (?:is|are) affected$/, '$1 家门店受影响'],
  [/^that is (\S+) % of the chain$/, '占全部门店的 $1%'],
  [/^(\d+) devices? (?:is|are) affected$/, '$1 台设备受影响'],
  [/^(\d+) complaints above normal$/, '投诉比平时多 $1 条'],
  [/^its alerts say (\S+)$/, '告警级别为 $1'],
  [/^declared so$/, '人工宣布'],
  [/^(\d+) services?$/, '$1 个服务'],
  [/^(\d+) stores?$/, '$1 家门店'],
  [/^(\d+) devices?$/, '$1 台设备'],
];

const cause =
  /^(?:(\S+) went dark: )?(\d+) of (\d+) (?:(\S.*?) )?devices( .*?)? are (offline|not well|offline or not well)(?:, (\d+) of (\d+) others)?$/;
const set: Said[] = [
  [/^of model (.+)/, '型号 $1'],
  [/^with firmware (.+)/, '固件 $1'],
  [/^on network (.+)/, '网络 $1'],
  [/^that (.+) went to/, '变更 $1 所及'],
  [/^in (.+)/, '$1'],
];
const unwell: Record<string, string> = { offline: '离线', 'not well': '异常' };

/** What devices that are not well share: the fleet's sentence is put together from many parts. */
function shared(text: string, word: Word): string | null {
  const m = cause.exec(text);
  if (!m) return null;
  const [, dark, n, all, kind, places, is, some, others] = m;
  const parts = (places?.trim().split(/ (?=of model |with firmware |on network |that |in )/) ?? []).map(
    (part) => whole(part, set, word) ?? part,
  );
  const kinds = kind ? kind.split(', ').map((k) => word('kind', k)) : ['设备'];
  const of = `${parts.join('、')}${parts.length ? ' 的' : ''}${kinds.join('、')}`;
  const rest = others ? `（其余 ${others} 台中 ${some} 台）` : '';
  return `${dark ? `${dark} 整店失联：` : ''}${of} ${all} 台中 ${n} 台${unwell[is!] ?? '离线或异常'}${rest}`;
}

/** Says one sentence of the server's in Chinese; word names kinds, indicators and readings. Null when it is not known. */
function whole(text: string, list: Said[], word: Word): string | null {
  for (const [pattern, said] of list) {
    if (pattern.test(text))
      return text
        .replace(pattern, said)
        .replace(/\{(kind|indicator|reading):(\S+?)\}/g, (_, prefix: string, name: string) => word(prefix, name))
        .trimStart();
  }
  return null;
}

// Sentences that end in another, which is their last group.
const nested: Said[] = [
  [/^for (\S+) now (.+)$/, '已有 $1：'],
  [/^merged from (\S+): (.+)$/, '自 $1 并入：'],
  [/^moved from (\S+): (.+)$/, '自 $1 移来：'],
  [/^it opened the incident: ((?!no other).+)$/, '它开启了这个故障：'],
];

/** Says a sentence, a title or a list of evidence in Chinese; null where the server's own must do. */
export function sentence(text: string, word: Word): string | null {
  const more = /^(.*); also in (\d+) other stores?$/.exec(text);
  if (more) {
    const first = shared(more[1]!, word) ?? whole(more[1]!, patterns, word);
    return first && `${first}，另有 ${more[2]} 家门店`;
  }
  for (const [pattern, said] of [...nested, ...endings]) {
    const m = pattern.exec(text);
    if (m) return m[0].replace(pattern, said) + (sentence(m.at(-1)!, word) ?? m.at(-1)!);
  }
  const one = shared(text, word) ?? whole(text, patterns, word) ?? whole(text, learned, word);
  if (one) return one;
  const parts = text
    .replace(/^no rule gives more: /, '')
    .split(', ')
    .map((p) => whole(p, evidence, word));
  return parts.every((p) => p !== null) ? parts.join('，') : null;
}
